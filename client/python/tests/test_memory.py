"""What may be remembered, rule by rule, with a clock and a stream of the tests' own."""

import pytest

from gatehouse.memory import KEPT_CHANGES, Change, Listener, Memory, Message, Stamp

TAG, OTHER = b"t" * 16, b"o" * 16
STALENESS = 3.0


class World:
    """A memory whose stream stands at revision 10."""

    def __init__(self, entries=100, mib=64):
        self.now = 1000.0
        self.memory = Memory(entries, mib, STALENESS, clock=lambda: self.now)
        self.revision = 10
        self.store, self.rules = "store", "rules"
        self.memory.begin()
        self.hear()

    def hear(self, *changes, ping=None, fell_behind=False, revision=None):
        """A message; without `ping` it answers one that was sent just now."""
        ping = self.memory.ping() if ping is None else ping
        if revision is None:
            revision = max([self.revision, *(change.revision for change in changes)])
        self.revision = revision
        self.memory.apply(
            Message(list(changes), revision, self.store, self.rules, ping, fell_behind)
        )

    def revoke(self, tag=TAG, **how):
        self.hear(Change(tag, self.revision + 1), **how)

    def stamp(self, **changes):
        fields = {"revision": self.revision, "store_id": self.store, "rules": self.rules,
                  "remember_for": 30.0, "tags": (TAG,)}  # fmt: skip
        return Stamp(**{**fields, **changes})

    def keep(self, key="key", mark=None, size=100, **stamp):
        return self.memory.keep(key, "answer", self.stamp(**stamp), mark or self.memory.mark(), size)

    def pass_time(self, seconds, alive=True):
        """With a heartbeat a second, if the stream is to stay alive."""
        while alive and seconds > 1:
            self.now += 1
            seconds -= 1
            self.hear()
        self.now += seconds
        if alive:
            self.hear()

    def __getitem__(self, key):
        return self.memory.get(key)


@pytest.fixture
def world():
    return World()


def test_an_answer_is_remembered(world):
    assert world["key"] is None
    assert world.keep()
    assert world["key"] == "answer"


def test_not_without_tags_and_not_without_remember_for(world):
    assert not world.keep(tags=())
    assert not world.keep(remember_for=0.0)
    assert world["key"] is None


def test_until_remember_for_has_passed_since_before_the_request(world):
    mark = world.memory.mark()
    world.pass_time(2)
    assert world.keep(mark=mark)
    world.pass_time(27.999)
    assert world["key"] == "answer"
    world.pass_time(0.001)
    assert world["key"] is None


def test_not_if_it_has_passed_before_the_answer_came(world):
    mark = world.memory.mark()
    world.pass_time(30)
    assert not world.keep(mark=mark)


def test_only_while_a_ping_of_less_than_max_staleness_ago_was_answered(world):
    assert world.keep()
    world.pass_time(2.999, alive=False)
    assert world["key"] == "answer"
    world.pass_time(0.001, alive=False)
    assert world["key"] is None
    assert not world.memory.live
    assert not world.keep("another")
    world.hear()
    assert world["key"] == "answer", "what is in it counts again"


def test_the_moment_is_that_of_sending_the_ping_not_of_its_answer(world):
    ping = world.memory.ping()
    world.keep()
    world.pass_time(2.5, alive=False)
    world.hear(ping=ping)
    assert world["key"] == "answer"
    world.pass_time(0.5, alive=False)
    assert world["key"] is None


def test_an_answer_to_an_old_ping_takes_nothing_back(world):
    old = world.memory.ping()
    world.pass_time(2, alive=False)
    world.hear()
    world.hear(ping=old)
    world.keep()
    world.pass_time(2.5, alive=False)
    assert world["key"] == "answer"


def test_a_message_without_a_ping_proves_nothing(world):
    world.keep()
    world.pass_time(2.9, alive=False)
    world.hear(ping=0)
    world.pass_time(0.1, alive=False)
    assert world["key"] is None


def test_a_ping_of_the_stream_before_proves_nothing(world):
    world.pass_time(1, alive=False)
    ping = world.memory.ping()
    world.memory.begin()
    world.hear(ping=ping)
    world.pass_time(2, alive=False)
    assert not world.memory.live


def test_the_first_answer_too_is_as_old_as_its_ping():
    world = World()
    memory = world.memory = Memory(10, 64, STALENESS, clock=lambda: world.now)
    memory.begin()
    ping = memory.ping()
    world.pass_time(2.9, alive=False)
    world.hear(ping=ping)
    assert memory.live and memory.staleness() == pytest.approx(2.9)
    world.pass_time(0.1, alive=False)
    assert not memory.live


def test_a_change_drops_what_has_its_tag_and_nothing_else(world):
    world.keep("mine", tags=(b"x" * 16, TAG))
    world.keep("other", tags=(OTHER,))
    world.revoke()
    assert world["mine"] is None
    assert world["other"] == "answer"
    assert world.memory.figures().dropped == 1


def test_a_change_counts_before_the_ping_of_its_message(world):
    world.keep()
    world.pass_time(5, alive=False)
    world.revoke()
    assert world.memory.live and world["key"] is None


@pytest.mark.parametrize("how", ["rules", "store", "fell_behind", "unknown"])
def test_everything_is_dropped(world, how):
    world.keep()
    if how == "rules":
        world.rules = "other rules"
    if how == "store":
        world.store = "other store"
    world.hear(*([Change(None, 11)] if how == "unknown" else []), fell_behind=how == "fell_behind")
    assert world["key"] is None


def test_not_under_other_rules_or_of_another_store(world):
    assert not world.keep(rules="other")
    assert not world.keep(store_id="other")


def test_nothing_before_the_stream_has_a_place():
    memory = Memory(10, 64, STALENESS)
    stamp = Stamp(10, "store", "rules", 30.0, (TAG,))
    assert not memory.keep("key", "answer", stamp, memory.mark(), 10)


def test_an_answer_that_its_own_revocation_overtook_is_not_kept(world):
    behind, mark = world.revision, world.memory.mark()
    world.revoke()
    assert not world.keep(mark=mark, revision=behind)
    assert world.keep("other", mark=mark, revision=behind, tags=(OTHER,))


def test_an_old_answer_is_not_kept_however_lately_it_was_asked_for(world):
    # A replica that is behind answers a request of now.
    behind = world.revision
    world.revoke()
    assert not world.keep(revision=behind)
    assert world.keep(revision=behind + 1)


def test_a_change_without_a_revision_counts_from_when_it_came(world):
    mark = world.memory.mark()
    world.hear(Change(TAG, 0))
    assert not world.keep(mark=mark), "asked before the key left"
    assert world.keep(), "asked afterwards"


def test_an_answer_ahead_of_the_stream_is_kept_until_the_stream_tells(world):
    assert world.keep(revision=world.revision + 5)
    world.revoke()
    assert world["key"] is None


def test_not_if_the_changes_do_not_reach_back(world):
    behind = world.revision
    for _ in range(KEPT_CHANGES):
        world.revoke(OTHER)
    assert world.keep("reached", revision=behind)
    world.revoke(OTHER)
    assert not world.keep("beyond", revision=behind)
    assert world.keep("beyond", revision=behind + 1)


def test_not_if_more_changes_came_since_than_are_kept(world):
    mark = world.memory.mark()
    for _ in range(KEPT_CHANGES + 1):
        world.hear(Change(OTHER, 0))
    assert not world.keep(mark=mark)


def test_after_falling_behind_the_changes_begin_anew(world):
    behind = world.revision
    world.hear(fell_behind=True, revision=behind + 100)
    assert not world.keep(revision=behind + 99)
    assert world.keep(revision=behind + 100)


@pytest.mark.parametrize("how", ["fell_behind", "another place"])
def test_not_if_it_was_asked_for_before_the_changes_began_anew(world, how):
    """What came between may have been a key that left its set, which has no revision."""
    mark = world.memory.mark()
    if how == "another place":
        world.memory.lose_place()
    world.hear(fell_behind=how == "fell_behind")
    assert not world.keep(mark=mark)
    assert world.keep()


def test_after_losing_the_place_everything_begins_anew(world):
    world.keep()
    world.memory.lose_place()
    assert world["key"] is None and not world.memory.live
    assert world.memory.begin() == (None, "")
    world.store, world.revision = "restored", 3
    world.hear()
    assert world["key"] is None
    assert world.keep(revision=3)
    assert not world.keep("old", revision=2)


def test_a_stream_is_resumed_from_its_place(world):
    assert world.memory.begin() == (10, "store")


def test_the_least_recently_used_goes_first():
    world = World(entries=2)
    world.keep("a")
    world.keep("b")
    assert world["a"] == "answer"
    world.keep("c")
    assert world["b"] is None and world["a"] == world["c"] == "answer"
    assert world.memory.figures().entries == 2


def test_bounded_in_bytes():
    world = World(entries=10_000, mib=1)
    for number in range(2000):
        world.keep(number, size=5000, tags=(TAG, b"%16d" % number))
    assert 1 <= world.memory.figures().entries <= (1 << 20) // 5000
    assert not world.keep("huge", size=2 << 20)
    assert len(world.memory._by_tag) <= world.memory.figures().entries + 1, "the index too"


def test_zero_entries_remember_nothing():
    world = World(entries=0)
    assert not world.keep() and world["key"] is None


def test_a_newer_answer_takes_the_place_of_the_older(world):
    world.keep(remember_for=1.0)
    world.keep(remember_for=30.0)
    world.pass_time(2)
    assert world["key"] == "answer" and world.memory.figures().entries == 1


def test_what_one_has_written_is_waited_for(world):
    world.keep()
    world.memory.wrote(12, "store")
    assert world.memory.written() == (12, "store")
    assert world["key"] is None, "older than one's own write"
    assert world.keep("new", revision=12)
    assert world["new"] == "answer"
    world.hear(revision=11)
    assert world["key"] is None
    world.hear(revision=12)
    assert world["key"] == "answer" and world.memory.written() == (0, "")


def test_what_one_has_written_to_another_store_is_not_compared(world):
    world.keep(revision=50)
    world.memory.wrote(3, "another")
    assert world["key"] is None
    world.memory.forget_written((3, "a third"))
    assert world["key"] is None, "that was another write"
    world.memory.forget_written((3, "another"))
    assert world["key"] == "answer"


def test_listeners_hear_of_their_tags_and_of_everything(world):
    heard = []
    listener = Listener(heard.append)
    listener.tags = (TAG,)
    world.memory.listen(listener)
    world.revoke(OTHER)
    assert heard == []
    world.revoke()
    assert heard == [False]
    world.hear(fell_behind=True)
    assert heard == [False, True]
    world.memory.lose_place()
    assert heard == [False, True, True]
    world.memory.unlisten(listener)
    world.revoke()
    assert len(heard) == 3


def test_figures(world):
    world.keep()
    assert world["key"] and world["no"] is None
    world.now += 1.5
    figures = world.memory.figures()
    assert (figures.hits, figures.misses, figures.entries) == (1, 1, 1)
    assert figures.live and figures.staleness == pytest.approx(1.5)


def test_random_histories_never_give_an_answer_that_was_revoked():
    """Against a model that knows everything: which token is revoked at which revision."""
    import random

    for seed in range(60):
        rng = random.Random(seed)
        world = World(entries=8)
        revoked_at = {tag: 0 for tag in (TAG, OTHER)}
        truth, told, pending = world.revision, world.revision, []
        for _ in range(300):
            tag = rng.choice([TAG, OTHER])
            do = rng.random()
            if do < 0.2:  # somebody revokes; the stream has not told yet
                truth += 1
                revoked_at[tag] = truth
                pending.append(Change(tag, truth))
            elif do < 0.4:  # the stream tells of some
                count = rng.randint(0, len(pending))
                some, pending = pending[:count], pending[count:]
                told = some[-1].revision if some else told
                world.hear(*some, revision=told)
            elif do < 0.7:  # an answer comes, as of some revision since the stream's beginning
                seen = rng.randint(10, truth)
                state = "denied" if 0 < revoked_at[tag] <= seen else f"as of {seen}"
                value = (state, seen)
                world.memory.keep(tag, value, world.stamp(revision=seen, tags=(tag,)),
                                  world.memory.mark(), 10)  # fmt: skip
            else:
                found = world[tag]
                if found is not None:
                    # Nothing that the stream has told of may lie beyond the answer.
                    newest = revoked_at[tag] if revoked_at[tag] <= told else 0
                    assert found[1] >= newest, (seed, found, newest)
            world.now += rng.choice([0, 0, 0.1])
            if not world.memory.live:
                world.hear(revision=told)


@pytest.mark.parametrize("how", ["fell_behind", "unknown", "first"])
def test_not_asked_for_before_the_list_of_changes_began_anew(world, how):
    """What was left out may have had no revision: a key that has gone."""
    mark = world.memory.mark()
    if how == "first":
        world.memory.lose_place()
        mark = world.memory.mark()
    world.hear(*([Change(None, 0)] if how == "unknown" else []), fell_behind=how == "fell_behind")
    assert not world.keep(mark=mark)
    assert world.keep()


def test_a_call_under_way_is_joined_until_a_change_or_max_staleness(world):
    mark = world.memory.mark()
    world.now += STALENESS - 0.001
    assert world.memory.is_recent(mark)
    world.now += 0.001
    assert not world.memory.is_recent(mark)
    mark = world.memory.mark()
    world.revoke()
    assert not world.memory.is_recent(mark)
