#include "server/frontend/watcher.h"

#include <utility>

namespace gatehouse::frontend {

Watcher::Turn Watcher::Next(int64_t now, const News& news) {
  const bool is_new = !begun_ || news.version != told_version_ || news.rules != told_rules_;
  if (writing_) {
    missed_ = missed_ || is_new;
    return now - sent_at_ >= kMaxWrite ? Turn::kCutOff : Turn::kNothing;
  }
  return is_new || (news.fresh && now - sent_at_ >= kHeartbeat) ? Turn::kSend : Turn::kNothing;
}

Watcher::Message Watcher::Send(int64_t now, const News& news,
                               const revocation::ChangeFeed::Batch& batch) {
  cursor_ = batch.next;
  complete_ = batch.complete;
  if (complete_) told_version_ = news.version;
  // Who asks whether all up to its ping has been told hears nothing of it before it has.
  if (complete_ && news.fresh) echoed_ = came_;
  if (news.rules != told_rules_) told_rules_ = std::string(news.rules);
  begun_ = true;
  writing_ = true;
  missed_ = false;
  sent_at_ = now;
  return {.revision = cursor_.revision,
          .ping = echoed_,
          .fell_behind = std::exchange(fell_behind_, false) || batch.fell_behind};
}

Watcher::After Watcher::Sent() {
  writing_ = false;
  if (!complete_) return After::kSendMore;
  return missed_ ? After::kLookSoon : After::kNothing;
}

}  // namespace gatehouse::frontend
