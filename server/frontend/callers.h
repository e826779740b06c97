#pragma once

#include <grpcpp/support/string_ref.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"
#include "server/engine/authorizer.h"
#include "server/frontend/caller_numbers.h"
#include "server/frontend/spiffe_table.h"

namespace gatehouse::frontend {

// A service that calls, and what it may do.
struct Caller {
  std::string name;
  size_t number = 0;  // by its place in the table, or as NumberBy has it
  std::array<bool, config::kRights> rights{};
  engine::AudienceMask audiences = 0;

  bool May(config::Right right) const { return rights[static_cast<size_t>(right)]; }

  bool operator==(const Caller& other) const = default;
};

// Who may call, known by the SHA-256 of their tokens, by SPIFFE ids and by DNS names. Constant
// once made, so thread-safe. Holds no token itself. Callers live as long as the table.
class CallerTable {
  using Hash = std::array<uint8_t, 32>;

 public:
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // By the SHA-256 of their tokens, the callers who called lately, so that one who
  // calls again is not looked for among all. One for each thread. Knows of the table
  // that was asked last alone.
  class Memory {
   public:
    Memory() = default;

   private:
    friend class CallerTable;
    struct Entry {
      Hash hash{};
      const Caller* caller = nullptr;  // null: the place is free
    };
    // Far more than callers, so that few share a place.
    std::vector<Entry> entries_ = std::vector<Entry>(1024);
    uint64_t table_ = 0;
  };

  // Reads the token files (ReadCallerTokens), and refuses a token that two callers
  // share, naming both: INVALID_ARGUMENT or NOT_FOUND with all that is wrong, one a
  // line. Without any callers there is one, "anonymous", who needs no token and has all
  // rights.
  static absl::StatusOr<CallerTable> Load(const std::vector<config::Caller>& callers);

  // Gives the callers the numbers that their names have. As CallerNumbers::Give.
  absl::Status NumberBy(CallerNumbers& numbers);

  // The caller whose token is the one `authorization` value, "Bearer <token>"; null
  // for none, more than one, or an unknown one. The time it takes says nothing of any
  // token.
  const Caller* Identify(const Metadata& metadata, Memory& memory) const;

  // The caller whose token this is; null for none. Where nobody needs a token, nobody has
  // one. The time it takes says nothing of any token.
  const Caller* FindByToken(absl::string_view token, Memory& memory) const;
  // Null for none.
  const Caller* FindByName(absl::string_view name) const;

  // The caller who has this SPIFFE id, or else the longest pattern that it is below; null for
  // none.
  const Caller* FindBySpiffeId(absl::string_view id) const;
  // The caller who has this DNS name, in any letter case; null for none.
  const Caller* FindByDnsName(absl::string_view name) const;

  const std::vector<Caller>& callers() const { return callers_; }
  // No other table has it, however long it lives.
  uint64_t id() const { return id_; }
  // Whether whoever reaches the port may call.
  bool open() const { return open_; }
  // Whether the same callers are known by the same and may do the same.
  bool SameAs(const CallerTable& other) const;
  // What the bits of Caller::audiences stand for.
  const std::vector<std::string>& audiences() const { return audiences_; }

 private:
  struct Token {
    Hash hash;
    size_t caller;

    bool operator==(const Token& other) const = default;
  };

  const Caller* Find(const Hash& hash) const;
  absl::Status AddTokens(const std::vector<config::Caller>& callers);

  // A DNS name has no more.
  static constexpr size_t kMaxDnsName = 253;

  // No other table's, even if that lay in the same place: what a Memory knows is of it.
  uint64_t id_ = 0;
  bool open_ = false;
  std::vector<Caller> callers_;
  std::vector<Token> tokens_;
  // By their places in callers_.
  SpiffeTable spiffe_ids_;
  absl::flat_hash_map<std::string, size_t> dns_names_;  // in lower case
  std::vector<std::string> audiences_;
};

}  // namespace gatehouse::frontend
