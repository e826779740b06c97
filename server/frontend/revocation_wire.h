#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "gatehouse/v1/revocation.pb.h"
#include "server/engine/revoker.h"
#include "server/revocation/revocation.h"
#include "server/revocation/store.h"

// Between the messages about revocations and what the engine and the store speak of.
namespace gatehouse::frontend {

void FillRevocation(const revocation::Fact& fact, v1::Revocation& out);
// Takes out who made and took back the revocation, and why.
void HidePeople(v1::Revocation& revocation);

// What a request for any target but `token` wants revoked. INVALID_ARGUMENT, naming the
// field.
absl::StatusOr<revocation::NewFact> ToNewFact(const engine::Revoker& revoker,
                                              const v1::RevokeRequest& request,
                                              const std::string& actor);

// A fact of another store, as its list shows it. Believes nothing: the tag is made from
// kind, issuer and target, and INVALID_ARGUMENT, naming the field, is what no store of ours
// can have listed. The issuer may be one that is not trusted here: the list may be older
// than the configuration, and a fact of a stranger refuses nobody. It may have ended or been
// taken back. Its revision is left out.
absl::StatusOr<revocation::Fact> ToFact(const v1::Revocation& in, absl::Time now);

// INVALID_ARGUMENT, naming the field. A page token of another query or another store is one
// that was never given.
absl::StatusOr<revocation::ListQuery> ToQuery(const v1::ListRevocationsRequest& request,
                                              absl::string_view store_id);
// For the page that begins before a revision, of the query that `request` makes.
std::string PageToken(int64_t before_revision, const v1::ListRevocationsRequest& request,
                      absl::string_view store_id);

}  // namespace gatehouse::frontend
