#pragma once

#include <grpcpp/support/string_ref.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/secret.h"
#include "server/config/config.h"
#include "server/engine/authorizer.h"

namespace gatehouse::frontend {

// A service that calls, and what it may do.
struct Caller {
  std::string name;
  size_t number = 0;  // among the callers of the table, from 0
  std::array<bool, config::kRights> rights{};
  engine::AudienceMask audiences = 0;

  bool May(config::Right right) const { return rights[static_cast<size_t>(right)]; }
};

// Who may call, known by the SHA-256 of their tokens. Constant once made, so
// thread-safe. Callers live as long as the table.
class CallerTable {
 public:
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // The values that were found to be good lately, so that a caller who calls again
  // costs one comparison. One for each thread.
  class Memory {
   public:
    Memory() = default;

   private:
    friend class CallerTable;
    struct Entry {
      Secret value;
      const Caller* caller = nullptr;
    };
    // By a hash of the value; far more than callers, so that few share a place.
    std::vector<Entry> entries_ = std::vector<Entry>(1024);
  };

  // Reads the token files (ReadCallerTokens), and refuses a token that two callers
  // share, naming both. INVALID_ARGUMENT with every caller whose file is bad, one a
  // line. Without callers there is one, "anonymous", who needs no token and has all
  // rights.
  static absl::StatusOr<CallerTable> Load(const std::vector<config::Caller>& callers);

  // The caller whose token is the one `authorization` value, "Bearer <token>"; null
  // for none, more than one, or an unknown one. The time it takes says nothing of any
  // token.
  const Caller* Identify(const Metadata& metadata, Memory& memory) const;

  const std::vector<Caller>& callers() const { return callers_; }
  std::vector<std::string> names() const;
  // Whether whoever reaches the port may call.
  bool open() const { return tokens_.empty(); }
  // What the bits of Caller::audiences stand for.
  const std::vector<std::string>& audiences() const { return audiences_; }

 private:
  struct Token {
    std::array<uint8_t, 32> hash;
    size_t caller;
  };

  const Caller* Find(absl::string_view value) const;
  absl::Status AddTokens(const std::vector<config::Caller>& callers);

  std::vector<Caller> callers_;
  std::vector<Token> tokens_;
  std::vector<std::string> audiences_;
};

}  // namespace gatehouse::frontend
