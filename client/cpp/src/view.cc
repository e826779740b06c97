#include "client/cpp/src/view.h"

#include <algorithm>

namespace gatehouse::client {

View::Effect View::Apply(const News& news, std::optional<int64_t> proven) {
  MutexLock lock(mu_);
  Effect effect;
  const bool same_store = known_ && news.revision.store_id == revision_.store_id;
  const bool unclear = std::any_of(news.changes.begin(), news.changes.end(),
                                   [](const News::Change& change) { return change.everything; });
  const bool anew =
      !same_store || unclear || news.fell_behind || news.revision.number < revision_.number;
  effect.everything = anew || news.rules != rules_;
  effect.tags.reserve(news.changes.size());
  for (const News::Change& change : news.changes) {
    ++changes_;
    if (change.everything) continue;
    generation_.fetch_add(1, std::memory_order_acq_rel);
    Remember(change);
    dropped_ += memory_.Drop(change.tag);
    effect.tags.push_back(change.tag);
  }
  if (effect.everything) DropEverything();
  if (anew) {
    past_.clear();
    past_revision_ = news.revision.number;
    past_generation_ = generation_.load(std::memory_order_relaxed);
  }
  if (!same_store) {
    live_until_ = 0;
    proven_.reset();
  }
  known_ = true;
  revision_ = news.revision;
  rules_ = news.rules;
  if (proven.has_value()) {
    live_until_ = std::max(live_until_, *proven + max_staleness_);
    proven_ = std::max(proven_.value_or(*proven), *proven);
  }
  if (required_.has_value() && required_->store_id == revision_.store_id &&
      required_->number <= revision_.number) {
    required_.reset();
  }
  SetUsable();
  return effect;
}

void View::Remember(const News::Change& change) {
  past_.push_back({change.tag, change.revision, generation_.load(std::memory_order_relaxed)});
  if (past_.size() <= kChanges) return;
  past_revision_ = std::max(past_revision_, past_.front().revision);
  past_generation_ = past_.front().generation;
  past_.pop_front();
}

void View::DropEverything() {
  generation_.fetch_add(1, std::memory_order_acq_rel);
  usable_until_.store(0, std::memory_order_release);
  dropped_ += memory_.Clear();
}

void View::Forget() {
  MutexLock lock(mu_);
  known_ = false;
  live_until_ = 0;
  proven_.reset();
  DropEverything();
}

std::optional<Revision> View::place() const {
  MutexLock lock(mu_);
  if (!known_) return std::nullopt;
  return revision_;
}

void View::Keep(const QuestionView& question, const AnswerPtr& answer, int64_t now, int64_t sent,
                uint64_t generation) {
  const Facts* const facts = answer->facts.get();
  if (facts == nullptr || facts->remember_for <= 0 || facts->tags.empty()) return;
  const int64_t until = sent + facts->remember_for;
  if (until <= now) return;
  const uint64_t hash = HashOf(question);
  MutexLock lock(mu_);
  if (now >= live_until_ || facts->store_id != revision_.store_id || facts->rules != rules_ ||
      OvertakenLocked(*facts, generation)) {
    return;
  }
  memory_.Insert(hash, question, answer, now, until);
}

bool View::Overtaken(const Facts& facts, uint64_t generation) const {
  MutexLock lock(mu_);
  if (!known_) return false;  // the first message is about everything
  return facts.store_id != revision_.store_id || OvertakenLocked(facts, generation);
}

bool View::OvertakenLocked(const Facts& facts, uint64_t generation) const {
  // What is not remembered any more may have touched it.
  if (facts.revision < past_revision_ || generation < past_generation_) return true;
  // A key that has gone has no revision: that it came since must do.
  for (auto past = past_.rbegin(); past != past_.rend(); ++past) {
    if (past->revision <= facts.revision && past->generation <= generation) {
      // Revisions rise, but keys' changes stand between them with none.
      if (past->revision > 0) break;
      continue;
    }
    if (std::find(facts.tags.begin(), facts.tags.end(), past->tag) != facts.tags.end()) {
      return true;
    }
  }
  return false;
}

void View::Require(const Revision& revision) {
  MutexLock lock(mu_);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  if (known_ && revision.store_id == revision_.store_id && revision.number <= revision_.number) {
    return;
  }
  if (!required_.has_value() || required_->store_id != revision.store_id ||
      required_->number < revision.number) {
    required_ = revision;
  }
  SetUsable();
}

std::optional<Revision> View::required() const {
  MutexLock lock(mu_);
  return required_;
}

void View::Unrequire(const Revision& revision) {
  MutexLock lock(mu_);
  if (!required_.has_value() || required_->store_id != revision.store_id ||
      required_->number != revision.number) {
    return;
  }
  required_.reset();
  SetUsable();
}

void View::SetUsable() {
  usable_until_.store(required_.has_value() ? 0 : live_until_, std::memory_order_release);
}

View::Counts View::counts() const {
  MutexLock lock(mu_);
  return {changes_, dropped_, proven_};
}

}  // namespace gatehouse::client
