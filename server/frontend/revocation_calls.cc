// The methods of AuthorizationService that write and list revocations.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/revocation_wire.h"
#include "server/frontend/wire.h"
#include "server/revocation/random_id.h"

namespace gatehouse::frontend {
namespace {

using config::Right;
using engine::Examination;
using revocation::Fact;
using revocation::NewFact;
using revocation::RevocationStore;

constexpr size_t kMaxFileName = 128;

// Who may know who revoked what, and why.
bool MaySeePeople(const Caller& caller) {
  return caller.May(Right::kList) || caller.May(Right::kRevoke) || caller.May(Right::kReinstate) ||
         caller.May(Right::kAdmin);
}

// Whether the fact is of a key that its issuer's set, which is known, does not hold.
bool IsKeyMissing(const Ruleset& rules, const NewFact& fact) {
  if (fact.kind != revocation::TagKind::kKey) return false;
  const engine::TrustedIssuer* const issuer = rules.authorizer->FindIssuer(fact.issuer);
  const auto set = issuer != nullptr ? issuer->keys->Current() : nullptr;
  return set != nullptr &&
         std::none_of(set->keys().begin(), set->keys().end(),
                      [&](const auto& key) { return key->name() == fact.target; });
}

// The name of a backup, which must be a plain file's: it comes from afar. None that SQLite
// would take for a part of a database beside it.
absl::Status CheckFileName(absl::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-_.").find(c) != absl::string_view::npos;
  });
  if (!plain || absl::StartsWith(name, ".")) {
    return absl::InvalidArgumentError(
        "name: must be letters, digits and \"-_.\", and not begin with a dot");
  }
  if (name.size() > kMaxFileName) {
    return absl::InvalidArgumentError(absl::StrCat("name: longer than ", kMaxFileName, " bytes"));
  }
  for (const absl::string_view suffix : {"-wal", "-shm", "-journal"}) {
    if (absl::EndsWith(name, suffix)) {
      return absl::InvalidArgumentError(
          absl::StrCat("name: must not end in ", suffix, ", as parts of a database do"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Fact>> ToFacts(const v1::ImportRevocationsRequest& request,
                                          absl::Time now) {
  const auto size = static_cast<size_t>(request.revocations_size());
  if (size > RevocationStore::kMaxImport) {
    return absl::InvalidArgumentError(
        absl::StrCat("revocations: ", size, " are more than ", RevocationStore::kMaxImport));
  }
  std::vector<Fact> facts;
  facts.reserve(size);
  for (int i = 0; i < request.revocations_size(); ++i) {
    absl::StatusOr<Fact> fact = ToFact(request.revocations(i), now);
    if (!fact.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("revocations[", i, "].", fact.status().message()));
    }
    facts.push_back(*std::move(fact));
  }
  return facts;
}

}  // namespace

void AuthorizationService::Note(const Caller& caller, absl::string_view event,
                                const revocation::Fact& fact, absl::string_view reason,
                                bool existed) {
  int64_t left_out = 0;
  if (!denials_.Admit(event, left_out)) return;
  log::Info(event, {{"id", fact.id},
                    {"issuer", fact.issuer},
                    {"caller", caller.name},
                    {"reason", existed ? "" : reason},
                    {"revision", fact.revision},
                    {"existed", existed ? "yes" : "no"},
                    {"left_out", left_out}});
}

void AuthorizationService::NoteRefused(const Caller& caller, absl::string_view event,
                                       const absl::Status& status) {
  int64_t left_out = 0;
  if (!denials_.Admit(event, left_out)) return;
  log::Error(event,
             {{"reason", status.message()}, {"caller", caller.name}, {"left_out", left_out}});
}

void AuthorizationService::CountRefused(const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) metrics_.CountFailedRevocation();
}

void AuthorizationService::FailWrite(UnaryCall& call, absl::string_view event,
                                     const absl::Status& status) {
  CountRefused(status);
  NoteRefused(*call.caller(), event, status);
  call.Fail(ToGrpc(status));
}

void AuthorizationService::Revoke(UnaryCall& call) {
  v1::RevokeRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const Ruleset& rules = call.rules();
  const std::string& actor = call.caller()->name;
  absl::StatusOr<NewFact> fact;
  if (request.target_case() == v1::RevokeRequest::kToken) {
    if (request.has_expire_time()) {
      return call.Fail(
          ToGrpc(absl::InvalidArgumentError("expire_time: a token cannot be suspended")));
    }
    // Whoever holds a token may revoke it, whatever audience it is for.
    const Examination examined =
        rules.authorizer->Examine(request.token(), {.news = call.news(), .effort = call.effort()});
    if (PutOff(call, examined, ColdWork::Lane::kRevocations)) return;
    fact = rules.revoker.Token(examined, {actor, request.reason()});
  } else if (!call.caller()->May(Right::kRevoke)) {
    return DenyRight(call, Right::kRevoke);
  } else {
    fact = ToNewFact(rules.revoker, request, actor);
  }
  if (!fact.ok()) return call.Fail(ToGrpc(fact.status()));
  Append(call, *std::move(fact));
}

void AuthorizationService::EndAppend(const Caller& caller,
                                     const absl::StatusOr<revocation::AppendResult>& result) {
  appends_.Leave(caller.number);
  if (!result.ok()) {
    CountRefused(result.status());
    return NoteRefused(caller, "revocation failed", result.status());
  }
  metrics_.CountRevocation(result->existed);
  Note(caller, "revoked", result->fact, result->fact.reason, result->existed);
}

void AuthorizationService::Append(UnaryCall& call, NewFact fact) {
  if (!BeginAppend(*call.caller())) return call.Refuse(Refusal::kOverload);
  const bool unknown = IsKeyMissing(call.rules(), fact);
  // Ends on the store's thread; nothing here is touched after Append.
  call.Defer();
  store_.Append(std::move(fact),
                [this, &call, unknown](absl::StatusOr<revocation::AppendResult> result) {
                  const Caller& asker = *call.caller();
                  EndAppend(asker, result);
                  if (!result.ok()) return call.Fail(ToGrpc(result.status()));
                  v1::RevokeResponse response;
                  FillRevocation(result->fact, *response.mutable_revocation());
                  // Whoever holds a token may revoke it, and so learn that somebody else did.
                  if (result->fact.actor != asker.name && !MaySeePeople(asker)) {
                    HidePeople(*response.mutable_revocation());
                  }
                  response.set_revision(result->revision);
                  response.set_store_id(store_.store_id());
                  response.set_existed(result->existed);
                  response.set_key_not_in_set(unknown);
                  call.Finish(Serialize(response));
                });
}

void AuthorizationService::Reinstate(UnaryCall& call) {
  v1::ReinstateRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  if (!revocation::IsId(request.id())) {
    return call.Fail(ToGrpc(absl::InvalidArgumentError(
        "id: must be a revocation's, 32 hexadecimal digits in lower case")));
  }
  if (const absl::Status status = engine::Revoker::CheckReason(request.reason()); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const size_t caller = call.caller()->number;
  if (!appends_.Enter(caller)) return call.Refuse(Refusal::kOverload);
  call.Defer();
  store_.Reinstate(request.id(), call.caller()->name, request.reason(),
                   [this, &call, caller](absl::StatusOr<revocation::ReinstateResult> result) {
                     appends_.Leave(caller);
                     if (absl::IsNotFound(result.status()))
                       return call.Fail(ToGrpc(result.status()));
                     if (!result.ok())
                       return FailWrite(call, "reinstatement failed", result.status());
                     metrics_.CountReinstatement(result->existed);
                     const std::string reason =
                         result->fact.reinstated.has_value() ? result->fact.reinstated->reason : "";
                     Note(*call.caller(), "reinstated", result->fact, reason, result->existed);
                     v1::ReinstateResponse response;
                     FillRevocation(result->fact, *response.mutable_revocation());
                     response.set_revision(result->revision);
                     response.set_store_id(store_.store_id());
                     response.set_existed(result->existed);
                     const int64_t now = absl::ToUnixSeconds(clock_.Now());
                     response.set_still_revoked(result->left.AreInForce(now));
                     call.Finish(Serialize(response));
                   });
}

void AuthorizationService::ListRevocations(UnaryCall& call) {
  v1::ListRevocationsRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const absl::StatusOr<revocation::ListQuery> query = ToQuery(request, store_.store_id());
  if (!query.ok()) return call.Fail(ToGrpc(query.status()));

  const size_t caller = call.caller()->number;
  if (!lists_.Enter(caller)) return call.Refuse(Refusal::kOverload);
  call.Defer();
  store_.List(*query, [this, &call, caller, request = std::move(request)](
                          absl::StatusOr<revocation::ListResult> result) {
    lists_.Leave(caller);
    if (!result.ok()) return call.Fail(ToGrpc(result.status()));
    v1::ListRevocationsResponse response;
    for (const Fact& fact : result->facts) FillRevocation(fact, *response.add_revocations());
    if (result->more) {
      response.set_next_page_token(
          PageToken(result->facts.back().revision, request, store_.store_id()));
    }
    response.set_revision(result->revision);
    response.set_store_id(store_.store_id());
    call.Finish(Serialize(response));
  });
}

void AuthorizationService::ImportRevocations(UnaryCall& call) {
  v1::ImportRevocationsRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  absl::StatusOr<std::vector<Fact>> facts = ToFacts(request, clock_.Now());
  if (!facts.ok()) return call.Fail(ToGrpc(facts.status()));

  // What it takes back may be in force here.
  const bool takes_back = std::any_of(facts->begin(), facts->end(),
                                      [](const Fact& fact) { return fact.reinstated.has_value(); });
  if (takes_back && !call.caller()->May(Right::kReinstate)) {
    return DenyRight(call, Right::kReinstate);
  }
  const size_t caller = call.caller()->number;
  if (!imports_.Enter(caller)) return call.Refuse(Refusal::kOverload);
  call.Defer();
  store_.Import(*std::move(facts),
                [this, &call, caller](absl::StatusOr<revocation::ImportResult> result) {
                  imports_.Leave(caller);
                  if (!result.ok()) return FailWrite(call, "import failed", result.status());
                  metrics_.CountImported(result->added);
                  int64_t left_out = 0;
                  if (denials_.Admit("imported", left_out)) {
                    log::Info("imported", {{"added", result->added},
                                           {"known", result->known},
                                           {"caller", call.caller()->name},
                                           {"revision", result->revision},
                                           {"left_out", left_out}});
                  }
                  v1::ImportRevocationsResponse response;
                  response.set_added(result->added);
                  response.set_known(result->known);
                  response.set_revision(result->revision);
                  response.set_store_id(store_.store_id());
                  call.Finish(Serialize(response));
                });
}

void AuthorizationService::BackupRevocations(UnaryCall& call) {
  v1::BackupRevocationsRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  if (backups_.empty()) {
    return call.Fail(ToGrpc(absl::FailedPreconditionError(
        "the server's configuration names no folder for backups (revocations.backups)")));
  }
  if (const absl::Status status = CheckFileName(request.name()); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const std::string name =
      !request.name().empty()
          ? request.name()
          : absl::FormatTime("revocations-%Y%m%dT%H%M%E3SZ.db", clock_.Now(), absl::UTCTimeZone());
  const std::string path = absl::StrCat(backups_, "/", name);

  const size_t caller = call.caller()->number;
  if (!copies_.Enter(caller)) return call.Refuse(Refusal::kOverload);
  call.Defer();
  store_.Backup(path, [this, &call, caller, path](absl::StatusOr<revocation::BackupResult> result) {
    copies_.Leave(caller);
    if (absl::IsAlreadyExists(result.status())) return call.Fail(ToGrpc(result.status()));
    if (!result.ok()) {
      NoteRefused(*call.caller(), "backup failed", result.status());
      return call.Fail(ToGrpc(result.status()));
    }
    int64_t left_out = 0;
    if (denials_.Admit("backed up", left_out)) {
      log::Info("backed up", {{"path", path},
                              {"bytes", result->bytes},
                              {"caller", call.caller()->name},
                              {"revision", result->revision},
                              {"left_out", left_out}});
    }
    v1::BackupRevocationsResponse response;
    response.set_path(path);
    response.set_bytes(result->bytes);
    response.set_revision(result->revision);
    response.set_store_id(store_.store_id());
    call.Finish(Serialize(response));
  });
}

}  // namespace gatehouse::frontend
