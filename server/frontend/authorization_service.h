#pragma once

#include <optional>
#include <string>

#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/clock.h"
#include "server/engine/authorizer.h"
#include "server/frontend/denial_log.h"
#include "server/frontend/metrics.h"
#include "server/frontend/peer.h"
#include "server/frontend/reply.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/shares.h"
#include "server/frontend/unary_call.h"
#include "server/revocation/change_feed.h"
#include "server/revocation/store.h"

namespace gatehouse::frontend {

// What the policy denied of a batch for a good token.
struct BatchDenials {
  int64_t count = 0;
  int first = 0;         // of the checks
  std::string first_id;  // of its decision
};

// gatehouse.v1.AuthorizationService: translate in, call the engine or the store,
// translate out. Each method ends its call as UnaryCall asks. Thread-safe.
class AuthorizationService {
 public:
  // All outlive the service. `backups`: the folder that backups are made in; empty: none
  // are. `trust`: whom callers are known by beside their tokens.
  AuthorizationService(const Rulesets& rulesets, revocation::RevocationStore& store,
                       revocation::ChangeFeed& feed, Metrics& metrics, const Clock& clock,
                       std::string backups, PeerTrust trust = {});

  // Finds out who calls, once, before the method: the caller is known, it has `right`
  // (unless that is left to the method), and the call's deadline has not passed. False:
  // the call has been ended.
  bool Admit(UnaryCall& call, std::optional<config::Right> right);

  // The caller of `context` by `rules`, who has `right` (where one is named); else why not,
  // with `caller` null if it is unknown.
  grpc::Status Identify(grpc::ServerContext& context, const Ruleset& rules, CallerMemory& memory,
                        std::optional<config::Right> right, const Caller*& caller);

  revocation::ChangeFeed& feed() { return feed_; }
  const revocation::RevocationStore& store() const { return store_; }
  // Which a call is answered by: UnaryCall::rules().
  const Rulesets& rulesets() const { return rulesets_; }

  void Verify(UnaryCall& call);
  void Authorize(UnaryCall& call);
  // In batch_calls.cc.
  void BatchAuthorize(UnaryCall& call);
  void Filter(UnaryCall& call);
  // In revocation_calls.cc, as what they call.
  void Revoke(UnaryCall& call);
  void Reinstate(UnaryCall& call);
  void ListRevocations(UnaryCall& call);
  void ImportRevocations(UnaryCall& call);
  void BackupRevocations(UnaryCall& call);

  // For whoever revokes by another way than a call. False: `caller` has its share of
  // revocations under way already. Else EndAppend belongs to it, on any thread, with what
  // came of it.
  bool BeginAppend(const Caller& caller) { return appends_.Enter(caller.number); }
  // Counts and logs what came of the write.
  void EndAppend(const Caller& caller, const absl::StatusOr<revocation::AppendResult>& result);

 private:
  // Whose call it is; null for nobody that is known.
  KnownPeer Who(grpc::ServerContext& context, const CallerTable& callers,
                CallerMemory& memory) const;
  // How an answer is to be given.
  struct Form {
    Method method = Method::kVerify;
    bool show_principal = false;
    // The token whose claims are asked for, or empty.
    absl::string_view claims_of;
    // Null unless the steps are asked for.
    const engine::Trace* trace = nullptr;
    // What was asked beside the token; null for Verify.
    const policy::Question* question = nullptr;
    bool with_tags = false;
  };

  // Ends `call` with what was found out, or puts it off.
  void Answer(UnaryCall& call, const engine::Examination& examined, const Form& form);
  // Puts `call` off where it is undecided but not hopeless, and fails it where it is.
  // False: it is decided.
  static bool PutOff(UnaryCall& call, const engine::Examination& examined, ColdWork::Lane lane);
  // Whether `min_revision` of the store `store_id` has come, if one is asked for; false: the
  // call has been ended or put off.
  bool HasRevision(UnaryCall& call, int64_t min_revision, const std::string& store_id);
  // What goes with the answer to a question about `examined`.
  Stamp StampOf(const Ruleset& rules, const engine::Examination& examined, bool with_tags) const;
  // Whether the steps may be told; false: the call has been ended or put off.
  bool MayExplain(UnaryCall& call);
  void DenyRight(UnaryCall& call, config::Right right);
  // Logs it.
  grpc::Status RightDenied(const Caller& caller, config::Right right);
  // The log's line on a batch.
  void WriteDenials(UnaryCall& call, const v1::BatchAuthorizeRequest& request,
                    const engine::Examination& examined, absl::string_view id,
                    const BatchDenials& denials);
  void Append(UnaryCall& call, revocation::NewFact fact);
  // Logs that `event` happened to `fact`, or had before.
  void Note(const Caller& caller, absl::string_view event, const revocation::Fact& fact,
            absl::string_view reason, bool existed);
  // Logs that the store refused.
  void NoteRefused(const Caller& caller, absl::string_view event, const absl::Status& status);
  // The same, counts it, and fails the call.
  void FailWrite(UnaryCall& call, absl::string_view event, const absl::Status& status);
  // Unless it was asked for wrongly, which says nothing of the store.
  void CountRefused(const absl::Status& status);

  const Rulesets& rulesets_;
  revocation::RevocationStore& store_;
  revocation::ChangeFeed& feed_;
  Metrics& metrics_;
  const Clock& clock_;
  const std::string backups_;
  const PeerTrust trust_;
  DenialLog denials_;
  // On the store's thread. More than a store takes in while a client waits, so that
  // others' still get in.
  Shares appends_;
  Shares lists_;
  // For a revision to come.
  Shares waits_;
  Shares imports_;
  Shares copies_;
};

}  // namespace gatehouse::frontend
