#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gatehouse/decision.h"
#include "gatehouse/figures.h"
#include "gatehouse/filter.h"
#include "gatehouse/question.h"
#include "gatehouse/result.h"
#include "gatehouse/revocation.h"
#include "gatehouse/settings.h"

namespace gatehouse {

namespace client {
class Core;
class Watched;
}  // namespace client

// As long as it lives, whoever asked to be told is told. When its destructor returns the
// callback is not running, nor will it: but for one that destroys its own.
class Subscription {
 public:
  Subscription() = default;
  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;
  ~Subscription();

  // For the client itself.
  explicit Subscription(std::shared_ptr<client::Watched> watched) : watched_(std::move(watched)) {}

 private:
  std::shared_ptr<client::Watched> watched_;
};

// Asks a Gatehouse, remembers what it said, and forgets it when the Gatehouse says so:
// docs/clients.md. One for each process and target. Thread-safe.
//
// Each call exists twice: one waits for the answer, the other gives it to a callback, on
// the calling thread if it is remembered, else on a thread of the client's. There it must
// not block, nor make calls that wait, nor destroy the client. Every call ends by its
// deadline.
class Client {
 public:
  // kSetting, which names the setting. A server that is not there is no error yet.
  static Result<Client> Create(Settings settings);
  // With Settings::FromEnvironment.
  static Result<Client> FromEnvironment();

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  // Ends what is under way with kCancelled; no callback runs when it returns.
  ~Client();

  // Whether the token is good, and whose it is.
  Answer Verify(std::string_view token, const CallOptions& options = {});
  void Verify(std::string_view token, const CallOptions& options,
              std::function<void(Answer)> callback);

  // Whether the token's principal may do that.
  Answer Authorize(std::string_view token, const Check& check, const CallOptions& options = {});
  void Authorize(std::string_view token, const Check& check, const CallOptions& options,
                 std::function<void(Answer)> callback);

  // Many checks of one token, in one call for those that are not remembered.
  BatchAnswer BatchAuthorize(std::string_view token, const std::vector<Check>& checks,
                             const CallOptions& options = {});
  void BatchAuthorize(std::string_view token, const std::vector<Check>& checks,
                      const CallOptions& options, std::function<void(BatchAnswer)> callback);

  // On which things of a type the token's principal may do that. Never remembered.
  FilterAnswer Filter(std::string_view token, std::string_view resource_type,
                      std::string_view action, const CallOptions& options = {});
  void Filter(std::string_view token, std::string_view resource_type, std::string_view action,
              const CallOptions& options, std::function<void(FilterAnswer)> callback);

  // When it returns, no call of this client that begins later is answered from before.
  Result<Revoked> Revoke(const RevocationTarget& target, const RevokeOptions& options = {});
  void Revoke(const RevocationTarget& target, const RevokeOptions& options,
              std::function<void(Result<Revoked>)> callback);
  Result<Reinstated> Reinstate(std::string_view revocation_id, std::string_view reason);
  void Reinstate(std::string_view revocation_id, std::string_view reason,
                 std::function<void(Result<Reinstated>)> callback);

  // For what outlives a request: calls back once, with the denial, when the token is
  // refused, because it was revoked or has ended. Never for an error.
  [[nodiscard]] Subscription OnRevoked(std::string_view token,
                                       std::function<void(Answer)> callback);

  // Waits until what is asked may be remembered. False: not within `timeout`.
  bool WaitUntilLive(std::chrono::milliseconds timeout);
  Figures figures() const;

  // For the client's own tests.
  explicit Client(std::shared_ptr<client::Core> core);

 private:
  std::shared_ptr<client::Core> core_;
};

}  // namespace gatehouse
