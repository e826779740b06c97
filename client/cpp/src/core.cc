#include "client/cpp/src/core.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace gatehouse::client {
namespace {

int64_t Nanos(std::chrono::milliseconds time) { return std::chrono::nanoseconds(time).count(); }

bool IsKept(Method method) { return method == Method::kVerify || method == Method::kAuthorize; }

// What the token is worth, seen from an answer about it.
AnswerPtr TokenOf(const AnswerPtr& answer) {
  if (answer->principal == nullptr || answer->allow) return answer;
  auto token = std::make_shared<AnswerData>(*answer);
  token->allow = true;
  token->code = Code::kOk;
  token->http_status = 200;
  token->detail.clear();
  return token;
}

// An error that names a check of those that were asked, "checks[0].resource", with the
// check's place among all of them.
AnswerPtr Renumbered(const AnswerPtr& answer, const std::vector<size_t>& places) {
  constexpr std::string_view kBefore = "checks[";
  const std::string& text = answer->error->message;
  const size_t found = text.find(kBefore);
  if (found == std::string::npos) return answer;
  const size_t begin = found + kBefore.size();
  const size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
  if (end == begin || end - begin > 6) return answer;
  const size_t asked = std::stoul(text.substr(begin, end - begin));
  if (asked >= places.size()) return answer;
  Error error = *answer->error;
  error.message.replace(begin, end - begin, std::to_string(places[asked]));
  return AnswerOf(std::move(error));
}

// The answers of one part, into their places; `first` of those that came. Of several parts
// the first that failed, or found the token bad, speaks for all.
void Fill(BatchAnswer& batch, const std::vector<size_t>& places, const Reply& reply, bool first) {
  if (first || batch.token.allowed()) {
    const bool failed = reply.answer->error.has_value();
    batch.token = Answer(failed ? Renumbered(reply.answer, places) : reply.answer, false);
  }
  for (size_t i = 0; i < places.size(); ++i) {
    batch.answers[places[i]] = Answer(reply.answers[i], false);
  }
}

// What a check takes in a message, about.
size_t SizeOf(const Check& check) {
  constexpr size_t kOfText = 8;
  size_t size = 5 * kOfText + check.resource.size() + check.owner.size() + check.action.size() +
                check.tenant.size();
  for (const auto& [name, subjects] : check.relations) {
    size += 2 * kOfText + name.size();
    for (const std::string& subject : subjects) size += kOfText + subject.size();
  }
  for (const auto& [name, value] : check.attributes) {
    size += 2 * kOfText + name.size() + value.size();
  }
  return size;
}

// Where the parts end in which the checks are asked, so that each is within the server's
// bounds; one part where there are none. A check too large for any is one alone.
std::vector<size_t> EndsOfParts(const std::vector<Check>& checks) {
  constexpr size_t kMostChecks = 1000;
  // The server takes 128 KiB; the token has up to 20.
  constexpr size_t kMostBytes = size_t{100} * 1024;
  std::vector<size_t> ends;
  size_t begin = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < checks.size(); ++i) {
    const size_t more = SizeOf(checks[i]);
    if (i > begin && (i - begin == kMostChecks || bytes + more > kMostBytes)) {
      ends.push_back(i);
      begin = i;
      bytes = 0;
    }
    bytes += more;
  }
  ends.push_back(checks.size());
  return ends;
}

constexpr int64_t kLook = 5 * kMillisecond;

}  // namespace

Core::Core(Settings settings, std::unique_ptr<Clock> clock, std::unique_ptr<Transport> transport,
           Chance chance)
    : settings_(std::move(settings)),
      clock_(std::move(clock)),
      transport_(std::move(transport)),
      chance_(std::move(chance)),
      began_(clock_->Now()),
      memory_(settings_.memory_entries, settings_.memory_mib * 1024 * 1024),
      view_(memory_, Nanos(settings_.max_staleness)),
      calls_(*transport_, *clock_, view_, chance_, settings_) {}

void Core::Start() {
  watched_ = std::make_shared<WatchedTokens>(
      *clock_, view_, chance_, [this](const std::string& token, ReplyDone done) {
        const QuestionView question{Method::kVerify, token, nullptr, 0};
        Ask(question, {}, std::move(done));
      });
  loop_ = std::make_shared<WatchLoop>(
      *transport_, *clock_, view_, chance_, settings_,
      [watched = watched_](const View::Effect& effect) { watched->OnEffect(effect); });
  loop_->Start();
}

void Core::Close() {
  loop_->Stop();
  clock_->Stop();
  calls_.Close();
  transport_->Close();
}

int64_t Core::DeadlineOf(std::chrono::milliseconds given) const {
  return clock_->Now() + Nanos(given.count() > 0 ? given : settings_.deadline);
}

bool Core::Recall(const QuestionView& question, const CallOptions& options, Answer& answer) {
  if (!Remembers(options)) return false;
  const int64_t now = clock_->Now();
  if (!view_.Usable(now)) {
    unusable_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  AnswerPtr found = memory_.Find(HashOf(question), question, now);
  if (found == nullptr) return false;
  answer = Answer(std::move(found), true);
  return true;
}

void Core::Ask(const QuestionView& question, const CallOptions& options, ReplyDone done) {
  AskUntil(question, options, DeadlineOf(options.deadline), std::move(done));
}

void Core::AskUntil(const QuestionView& question, const CallOptions& options, int64_t deadline,
                    ReplyDone done) {
  if (const std::optional<Error> wrong = Malformed(question); wrong.has_value()) {
    return done(ReplyOf(*wrong, question.count));
  }
  if (!options.fresh && !options.explain && !options.with_claims) {
    return Share(question, options, deadline, std::move(done));
  }
  auto flight = std::make_shared<Flight>(question, 0, view_.generation(), clock_->Now(), deadline);
  Send(flight, {options.explain, options.with_claims},
       [this, flight, options, done = std::move(done)](const Reply& reply) {
         if (!options.explain && !options.with_claims) Keep(*flight, reply);
         done(reply);
       });
}

void Core::Share(const QuestionView& question, const CallOptions& options, int64_t deadline,
                 ReplyDone done) {
  const uint64_t generation = view_.generation();
  const uint64_t hash = HashOf(question);
  const int64_t now = clock_->Now();
  AnswerPtr found;
  auto waiter = std::make_shared<Waiter>(deadline, std::move(done));
  const Flights::Joined joined = flights_.Join(
      question, hash, generation, now - Nanos(settings_.max_staleness), waiter, [&]() -> FlightPtr {
        // The answer may have come since it was looked for: it is kept before its flight
        // is taken away.
        if (Remembers(options) && IsKept(question.method) && view_.Usable(now)) {
          found = memory_.Find(hash, question, now, Memory::Look::kAgain);
          if (found != nullptr) return nullptr;
        }
        return std::make_shared<Flight>(question, hash, generation, now, deadline);
      });
  if (found != nullptr) {
    Reply reply;
    reply.answer = std::move(found);
    reply.generation = generation;
    return waiter->Tell(reply);
  }
  if (joined.began) {
    return Send(joined.flight, {}, [this, flight = joined.flight](const Reply& reply) {
      Keep(*flight, reply);
      Land(flight, reply);
    });
  }
  shared_.fetch_add(1, std::memory_order_relaxed);
  if (deadline >= joined.flight->deadline) return;
  clock_->At(deadline, [waiter, count = question.count] {
    waiter->Tell(ReplyOf({ErrorCode::kDeadlineExceeded,
                          "the deadline passed, while a call that began earlier was waited for"},
                         count));
  });
}

void Core::Send(const FlightPtr& flight, const Extras& extras,
                std::function<void(const Reply&)> done) {
  calls_.Begin(
      flight->question.method,
      [flight, extras](const std::optional<Revision>& required) {
        return Encode(flight->question.view(), extras, required);
      },
      flight->deadline,
      [flight, done = std::move(done)](std::optional<Error> error, const std::string& bytes) {
        const size_t checks = flight->question.checks.size();
        Reply reply = error.has_value() ? ReplyOf(*error, checks)
                                        : Decode(flight->question.method, checks, bytes);
        reply.generation = flight->generation;
        done(reply);
      });
}

void Core::Keep(const Flight& flight, const Reply& reply) {
  if (settings_.memory_entries == 0 || reply.answer->error.has_value()) return;
  const int64_t now = clock_->Now();
  const QuestionView question = flight.question.view();
  if (IsKept(question.method)) {
    view_.Keep(question, reply.answer, now, flight.sent, flight.generation);
  } else if (question.method == Method::kBatchAuthorize) {
    for (size_t i = 0; i < question.count; ++i) {
      view_.Keep({Method::kAuthorize, question.token, &question.checks[i], 1}, reply.answers[i],
                 now, flight.sent, flight.generation);
    }
  }
}

void Core::Land(const FlightPtr& flight, const Reply& reply) {
  const bool late =
      reply.answer->error.has_value() && reply.answer->error->code == ErrorCode::kDeadlineExceeded;
  const int64_t now = clock_->Now();
  for (const WaiterPtr& waiter : flights_.Land(flight)) {
    if (late && waiter->deadline > std::max(now, flight->deadline)) {
      // It was the first one's deadline that passed; this one has time left.
      AskUntil(flight->question.view(), {}, waiter->deadline,
               [waiter](const Reply& other) { waiter->Tell(other); });
    } else {
      waiter->Tell(reply);
    }
  }
}

void Core::AskBatch(std::string_view token, const std::vector<Check>& checks,
                    const CallOptions& options, std::function<void(BatchAnswer)> done) {
  BatchAnswer batch;
  batch.answers.resize(checks.size());
  std::vector<Check> missing;
  std::vector<size_t> places;
  for (size_t i = 0; i < checks.size(); ++i) {
    if (Recall({Method::kAuthorize, token, &checks[i], 1}, options, batch.answers[i])) {
      continue;
    }
    missing.push_back(checks[i]);
    places.push_back(i);
  }
  if (missing.empty() && !checks.empty()) {
    // The answers keep what they point to.
    const auto first = std::make_shared<const AnswerData>(batch.answers.front().data());
    batch.token = Answer(TokenOf(first), true);
    return done(std::move(batch));
  }
  // Filled by the parts; the last one gives it back.
  struct Parts {
    Mutex mu;
    size_t left GH_GUARDED_BY(mu) = 0;
    bool any_came GH_GUARDED_BY(mu) = false;
    BatchAnswer batch GH_GUARDED_BY(mu);
    std::function<void(BatchAnswer)> done;
  };
  const auto parts = std::make_shared<Parts>();
  const std::vector<size_t> ends = EndsOfParts(missing);
  {
    MutexLock lock(parts->mu);
    parts->left = ends.size();
    parts->batch = std::move(batch);
    parts->done = std::move(done);
  }
  CallOptions plain = options;
  plain.explain = plain.with_claims = false;
  size_t begin = 0;
  for (const size_t end : ends) {
    const QuestionView question{Method::kBatchAuthorize, token, missing.data() + begin,
                                end - begin};
    std::vector<size_t> of_part(places.begin() + static_cast<long>(begin),
                                places.begin() + static_cast<long>(end));
    begin = end;
    Ask(question, plain, [parts, of_part = std::move(of_part)](const Reply& reply) {
      BatchAnswer whole;
      {
        MutexLock lock(parts->mu);
        Fill(parts->batch, of_part, reply, !std::exchange(parts->any_came, true));
        if (--parts->left > 0) return;
        whole = std::move(parts->batch);
      }
      // An error, or a bad token, is good for nothing.
      if (!whole.token.allowed()) {
        std::fill(whole.answers.begin(), whole.answers.end(), whole.token);
      }
      parts->done(std::move(whole));
    });
  }
}

void Core::Revoke(const RevocationTarget& target, const RevokeOptions& options,
                  std::function<void(Result<Revoked>)> done) {
  calls_.Begin(
      Method::kRevoke,
      [request = EncodeRevoke(target, options)](const std::optional<Revision>&) { return request; },
      DeadlineOf(options.deadline),
      [this, done = std::move(done)](std::optional<Error> error, const std::string& bytes) {
        if (error.has_value()) return done(*std::move(error));
        std::optional<Revoked> revoked = DecodeRevoked(bytes);
        if (!revoked.has_value()) return done(Unreadable());
        view_.Require({revoked->store_id, revoked->revision});
        done(*std::move(revoked));
      });
}

void Core::Reinstate(std::string_view id, std::string_view reason,
                     std::function<void(Result<Reinstated>)> done) {
  calls_.Begin(
      Method::kReinstate,
      [request = EncodeReinstate(id, reason)](const std::optional<Revision>&) { return request; },
      DeadlineOf(std::chrono::milliseconds(0)),
      [this, done = std::move(done)](std::optional<Error> error, const std::string& bytes) {
        if (error.has_value()) return done(*std::move(error));
        std::optional<Reinstated> reinstated = DecodeReinstated(bytes);
        if (!reinstated.has_value()) return done(Unreadable());
        view_.Require({reinstated->store_id, reinstated->revision});
        done(*std::move(reinstated));
      });
}

std::shared_ptr<Watched> Core::Watch(std::string_view token, std::function<void(Answer)> callback) {
  return watched_->Add(std::string(token), std::move(callback));
}

bool Core::WaitUntilLive(std::chrono::milliseconds timeout) {
  const int64_t until = clock_->Now() + Nanos(timeout);
  while (!view_.Usable(clock_->Now())) {
    if (clock_->Now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLook));
  }
  return true;
}

Figures Core::figures() const {
  Figures figures;
  const Memory::Counts memory = memory_.counts();
  figures.hits = memory.hits;
  figures.misses = memory.misses + unusable_.load(std::memory_order_relaxed);
  figures.entries = memory.entries;
  figures.bytes = memory.bytes;
  figures.shared = shared_.load(std::memory_order_relaxed);
  calls_.AddTo(figures);
  const View::Counts view = view_.counts();
  figures.changes = view.changes;
  figures.dropped = view.dropped;
  const int64_t now = clock_->Now();
  figures.live = view_.Usable(now);
  figures.staleness = std::chrono::nanoseconds(now - view.proven.value_or(began_));
  return figures;
}

}  // namespace gatehouse::client
