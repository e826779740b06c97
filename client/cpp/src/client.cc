#include "gatehouse/client.h"

#include <utility>

#include "client/cpp/src/core.h"
#include "client/cpp/src/own_thread.h"
#include "server/base/mutex.h"

namespace gatehouse {
namespace {

using client::Method;
using client::QuestionView;
using client::Reply;

// What a call that waits is answered with where it would wait for itself.
const Error& InCallback() {
  static const Error error{ErrorCode::kInvalidArgument,
                           "a call that waits was made in a callback of the client's, where it "
                           "would wait for itself: use the one that takes a callback"};
  return error;
}

// Waits for what `start` gives to the function that it is handed. `refused` is returned in
// a callback.
template <class T, class Start>
T Wait(const Start& start, const T& refused) {
  if (client::on_own_thread) return refused;
  struct Place {
    Mutex mu;
    CondVar filled;
    std::optional<T> value GH_GUARDED_BY(mu);
  };
  const auto place = std::make_shared<Place>();
  start([place](T value) {
    MutexLock lock(place->mu);
    place->value.emplace(std::move(value));
    place->filled.NotifyOne();
  });
  MutexLock lock(place->mu);
  while (!place->value.has_value()) place->filled.Wait(place->mu);
  return *std::move(place->value);
}

Answer Refused() { return {client::AnswerOf(InCallback()), false}; }

Answer Asked(client::Core& core, const QuestionView& question, const CallOptions& options) {
  Answer answer;
  if (core.Recall(question, options, answer)) return answer;
  return Wait<Answer>(
      [&](std::function<void(Answer)> done) {
        core.Ask(question, options, [done = std::move(done)](const Reply& reply) {
          done(Answer(reply.answer, false));
        });
      },
      Refused());
}

void AskFor(client::Core& core, const QuestionView& question, const CallOptions& options,
            std::function<void(Answer)> callback) {
  Answer answer;
  if (core.Recall(question, options, answer)) return callback(std::move(answer));
  core.Ask(question, options, [callback = std::move(callback)](const Reply& reply) {
    callback(Answer(reply.answer, false));
  });
}

QuestionView VerifyOf(std::string_view token) { return {Method::kVerify, token, nullptr, 0}; }

}  // namespace

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  if (watched_ != nullptr) watched_->Cancel();
  watched_ = std::move(other.watched_);
  return *this;
}

Subscription::~Subscription() {
  if (watched_ != nullptr) watched_->Cancel();
}

Client::Client(std::shared_ptr<client::Core> core) : core_(std::move(core)) { core_->Start(); }
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  if (core_ != nullptr) core_->Close();
  core_ = std::move(other.core_);
  return *this;
}
Client::~Client() {
  if (core_ != nullptr) core_->Close();
}

Answer Client::Verify(std::string_view token, const CallOptions& options) {
  return Asked(*core_, VerifyOf(token), options);
}
void Client::Verify(std::string_view token, const CallOptions& options,
                    std::function<void(Answer)> callback) {
  AskFor(*core_, VerifyOf(token), options, std::move(callback));
}

Answer Client::Authorize(std::string_view token, const Check& check, const CallOptions& options) {
  return Asked(*core_, {Method::kAuthorize, token, &check, 1}, options);
}
void Client::Authorize(std::string_view token, const Check& check, const CallOptions& options,
                       std::function<void(Answer)> callback) {
  AskFor(*core_, {Method::kAuthorize, token, &check, 1}, options, std::move(callback));
}

BatchAnswer Client::BatchAuthorize(std::string_view token, const std::vector<Check>& checks,
                                   const CallOptions& options) {
  return Wait<BatchAnswer>(
      [&](std::function<void(BatchAnswer)> done) {
        core_->AskBatch(token, checks, options, std::move(done));
      },
      {Refused(), std::vector<Answer>(checks.size(), Refused())});
}
void Client::BatchAuthorize(std::string_view token, const std::vector<Check>& checks,
                            const CallOptions& options, std::function<void(BatchAnswer)> callback) {
  core_->AskBatch(token, checks, options, std::move(callback));
}

FilterAnswer Client::Filter(std::string_view token, std::string_view resource_type,
                            std::string_view action, const CallOptions& options) {
  return Wait<FilterAnswer>(
      [&](std::function<void(FilterAnswer)> done) {
        Filter(token, resource_type, action, options, std::move(done));
      },
      {Refused(), {}});
}
void Client::Filter(std::string_view token, std::string_view resource_type, std::string_view action,
                    const CallOptions& options, std::function<void(FilterAnswer)> callback) {
  Check check;
  check.resource = resource_type;
  check.action = action;
  CallOptions plain = options;
  plain.explain = plain.with_claims = false;
  core_->Ask({Method::kFilter, token, &check, 1}, plain,
             [callback = std::move(callback)](const Reply& reply) {
               callback({Answer(reply.answer, false), reply.filter});
             });
}

Result<Revoked> Client::Revoke(const RevocationTarget& target, const RevokeOptions& options) {
  return Wait<Result<Revoked>>(
      [&](std::function<void(Result<Revoked>)> done) {
        core_->Revoke(target, options, std::move(done));
      },
      InCallback());
}
void Client::Revoke(const RevocationTarget& target, const RevokeOptions& options,
                    std::function<void(Result<Revoked>)> callback) {
  core_->Revoke(target, options, std::move(callback));
}

Result<Reinstated> Client::Reinstate(std::string_view revocation_id, std::string_view reason) {
  return Wait<Result<Reinstated>>(
      [&](std::function<void(Result<Reinstated>)> done) {
        core_->Reinstate(revocation_id, reason, std::move(done));
      },
      InCallback());
}
void Client::Reinstate(std::string_view revocation_id, std::string_view reason,
                       std::function<void(Result<Reinstated>)> callback) {
  core_->Reinstate(revocation_id, reason, std::move(callback));
}

Subscription Client::OnRevoked(std::string_view token, std::function<void(Answer)> callback) {
  return Subscription(core_->Watch(token, std::move(callback)));
}

bool Client::WaitUntilLive(std::chrono::milliseconds timeout) {
  return core_->WaitUntilLive(timeout);
}
Figures Client::figures() const { return core_->figures(); }

}  // namespace gatehouse
