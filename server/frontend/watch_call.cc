#include "server/frontend/watch_call.h"

#include <grpc/grpc.h>

#include "absl/strings/str_cat.h"
#include "server/frontend/watch_hub.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {
namespace {

// How long a client may take to send its first message.
constexpr int64_t kMaxSilence = 10 * Watcher::kSecond;

grpc::Status Invalid(const std::string& what) { return {grpc::StatusCode::INVALID_ARGUMENT, what}; }

}  // namespace

WatchCall::~WatchCall() {
  if (entered_) hub_.Leave(caller_number_);
}

void* WatchCall::Begin(Step& step) {
  ++pending_;
  return step.tag();
}

void WatchCall::OnStep(Step::Handler handler, bool ok) {
  --pending_;
  (this->*handler)(ok);
  if (ended_ && pending_ == 0) hub_.Ended(*this);
}

void WatchCall::Accept() {
  context_.AsyncNotifyWhenDone(done_.tag());
  hub_.Request(context_, stream_, Begin(accepted_));
}

void WatchCall::OnAccepted(bool ok) {
  if (!ok) {  // the server is shutting down: no call came
    ended_ = true;
    return;
  }
  came_ = true;
  Begin(done_);
  hub_.AcceptOne();
  began_at_ = hub_.Now();
  if (const grpc::Status status = hub_.Enter(context_, caller_number_, entered_); !status.ok()) {
    return Finish(status);
  }
  Read();
}

void WatchCall::OnRead(bool ok) {
  if (finishing_ || final_.has_value()) return;
  if (!ok) {
    return End(started_ ? grpc::Status::OK : Invalid("the stream ended before its first message"));
  }
  thread_local v1::WatchRequest request;
  if (const absl::Status status = Parse(bytes_, request); !status.ok()) return End(ToGrpc(status));
  bytes_.Clear();
  if (!started_) {
    if (const grpc::Status status = Start(request); !status.ok()) return End(status);
  }
  watcher_.OnPing(request.ping());
  Read();
  if (!writing_) Look(hub_.Now());
}

grpc::Status WatchCall::Start(const v1::WatchRequest& request) {
  revocation::ChangeFeed& feed = hub_.feed();
  if (!request.store_id().empty() && request.store_id() != hub_.store_id()) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            "store_id: is that of another store: what is remembered does not count here"};
  }
  started_ = true;
  if (!request.has_from_revision()) {
    watcher_.Begin(feed.Now(), false);
    return grpc::Status::OK;
  }
  const int64_t from = request.from_revision();
  if (request.store_id().empty()) return Invalid("store_id: is required with from_revision");
  if (from < 0) return Invalid("from_revision: must not be negative");
  if (const int64_t now = feed.revision(); from > now) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            absl::StrCat("from_revision: ", from, " lies ahead of the store's, which is ", now,
                         ": what is remembered does not count here")};
  }
  watcher_.Begin(feed.After(from), false);
  return grpc::Status::OK;
}

void WatchCall::Look(int64_t now) {
  if (finishing_) return;
  if (final_.has_value()) {
    // It waits for what its client does not take.
    if (writing_ && watcher_.Next(now, hub_.News()) == Watcher::Turn::kCutOff) CutOff(*final_);
    return;
  }
  if (!started_) {
    if (now - began_at_ >= kMaxSilence) End(Invalid("no first message has come"));
    return;
  }
  switch (watcher_.Next(now, hub_.News())) {
    case Watcher::Turn::kNothing:
      return;
    case Watcher::Turn::kSend:
      return Send(now);
    case Watcher::Turn::kCutOff:
      hub_.CountSlow();
      return CutOff({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "this watcher does not read: what it remembers does not count any more"});
  }
}

void WatchCall::Send(int64_t now) {
  const Watcher::News news = hub_.News();
  const WatchHub::Ready& ready = hub_.Read(watcher_.cursor(), news.version);
  const Watcher::Message message = watcher_.Send(now, news, ready.batch);
  hub_.Count(ready.batch, message.fell_behind);
  writing_ = true;
  stream_.Write(hub_.Encode(ready, message, news.rules), Begin(wrote_));
}

void WatchCall::OnWrote(bool ok) {
  writing_ = false;
  if (final_.has_value()) return Finish(*final_);
  if (!ok || gone_) return Finish(grpc::Status::CANCELLED);
  switch (watcher_.Sent()) {
    case Watcher::After::kNothing:
      return;
    case Watcher::After::kSendMore:
      return Send(hub_.Now());
    case Watcher::After::kLookSoon:
      return hub_.OnNews();
  }
}

void WatchCall::OnDone(bool /*ok*/) {
  gone_ = true;
  // A write that is under way must have come first.
  if (!finishing_ && !writing_) Finish(final_.value_or(grpc::Status::CANCELLED));
}

void WatchCall::End(const grpc::Status& status) {
  if (finishing_ || final_.has_value()) return;
  if (!writing_) return Finish(status);
  final_ = status;
}

void WatchCall::CutOff(const grpc::Status& status) {
  if (finishing_) return;
  if (!writing_) return Finish(status);
  final_ = status;
  // Not TryCancel, which leaves the client to guess.
  grpc_call_cancel_with_status(context_.c_call(),
                               static_cast<grpc_status_code>(status.error_code()),
                               status.error_message().c_str(), nullptr);
}

void WatchCall::Finish(const grpc::Status& status) {
  finishing_ = true;
  hub_.CountEnd(caller_number_, entered_, status.error_code());
  stream_.Finish(status, Begin(finished_));
}

void WatchCall::OnFinished(bool /*ok*/) { ended_ = true; }

}  // namespace gatehouse::frontend
