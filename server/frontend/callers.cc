#include "server/frontend/callers.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/frontend/caller_tokens.h"
#include "server/jose/openssl.h"

namespace gatehouse::frontend {
namespace {

constexpr absl::string_view kScheme = "Bearer ";
constexpr size_t kMaxToken = 512;

bool Same(const std::array<uint8_t, 32>& a, const std::array<uint8_t, 32>& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

engine::AudienceMask MaskOf(const std::vector<std::string>& wanted, std::vector<std::string>& all) {
  engine::AudienceMask mask = 0;
  for (const std::string& audience : wanted) {
    auto place = std::find(all.begin(), all.end(), audience);
    if (place == all.end()) place = all.insert(all.end(), audience);
    mask |= engine::AudienceMask{1} << static_cast<size_t>(place - all.begin());
  }
  return mask;
}

}  // namespace

absl::StatusOr<CallerTable> CallerTable::Load(const std::vector<config::Caller>& callers) {
  static std::atomic<uint64_t> tables = 0;
  CallerTable table;
  table.id_ = ++tables;
  for (const config::Caller& configured : callers) {
    Caller& caller = table.callers_.emplace_back();
    caller.name = configured.name;
    caller.number = table.callers_.size() - 1;
    for (const config::Right right : configured.may) {
      caller.rights[static_cast<size_t>(right)] = true;
    }
    caller.audiences = MaskOf(configured.audiences, table.audiences_);
    for (const std::string& id : configured.spiffe_ids) table.spiffe_ids_.Add(id, caller.number);
    for (const std::string& name : configured.dns_names) {
      table.dns_names_.emplace(name, caller.number);
    }
  }
  if (table.audiences_.size() > engine::kMaxAudiences) {
    return absl::InvalidArgumentError("the callers name too many different audiences");
  }
  GH_RETURN_IF_ERROR(table.AddTokens(callers));
  table.open_ = callers.empty();
  if (table.open_) {
    Caller& anybody = table.callers_.emplace_back();
    anybody.name = "anonymous";
    anybody.rights.fill(true);
  }
  return table;
}

absl::Status CallerTable::AddTokens(const std::vector<config::Caller>& callers) {
  struct Found {
    const config::Caller* caller;
    int line;
  };
  std::map<Hash, Found> all;
  std::vector<std::string> faults;
  absl::StatusCode code = absl::StatusCode::kOk;
  for (size_t i = 0; i < callers.size(); ++i) {
    const config::Caller& caller = callers[i];
    const auto wrong = [&](absl::StatusCode why, absl::string_view what) {
      if (faults.empty()) code = why;
      faults.push_back(absl::StrCat(caller.place, caller.place.empty() ? "" : ": ",
                                    "the token of caller ", caller.name, ": ", what));
    };
    if (caller.token_file.empty()) continue;  // it has certificates alone
    const auto tokens = ReadCallerTokens(caller.token_file);
    if (!tokens.ok()) {
      wrong(tokens.status().code(), tokens.status().message());
      continue;
    }
    for (const CallerToken& token : *tokens) {
      const auto [before, is_new] = all.emplace(token.hash, Found{&caller, token.line});
      if (is_new) {
        tokens_.push_back({token.hash, i});
        continue;
      }
      const config::Caller& other = *before->second.caller;
      wrong(absl::StatusCode::kInvalidArgument,
            absl::StrCat(caller.token_file, ":", token.line, ": is that of caller ", other.name,
                         " too (", other.token_file, ":", before->second.line,
                         "), and two callers share no token"));
    }
  }
  return absl::Status(code, absl::StrJoin(faults, "\n"));
}

absl::Status CallerTable::NumberBy(CallerNumbers& numbers) {
  std::vector<std::string> names;
  names.reserve(callers_.size());
  for (const Caller& caller : callers_) names.push_back(caller.name);
  GH_ASSIGN_OR_RETURN(const std::vector<size_t> given, numbers.Give(names));
  for (size_t i = 0; i < callers_.size(); ++i) callers_[i].number = given[i];
  return absl::OkStatus();
}

bool CallerTable::SameAs(const CallerTable& other) const {
  return callers_ == other.callers_ && tokens_ == other.tokens_ &&
         spiffe_ids_ == other.spiffe_ids_ && dns_names_ == other.dns_names_ &&
         audiences_ == other.audiences_;
}

const Caller* CallerTable::Identify(const Metadata& metadata, Memory& memory) const {
  if (open()) return callers_.data();
  const auto [first, last] = metadata.equal_range("authorization");
  if (first == last || std::next(first) != last) return nullptr;
  const absl::string_view value(first->second.data(), first->second.size());
  if (!absl::StartsWithIgnoreCase(value, kScheme)) return nullptr;
  return FindByToken(value.substr(kScheme.size()), memory);
}

const Caller* CallerTable::FindByName(absl::string_view name) const {
  const auto found = std::find_if(callers_.begin(), callers_.end(),
                                  [name](const Caller& caller) { return caller.name == name; });
  return found == callers_.end() ? nullptr : &*found;
}

const Caller* CallerTable::FindBySpiffeId(absl::string_view id) const {
  const std::optional<size_t> found = spiffe_ids_.Find(id);
  return found.has_value() ? &callers_[*found] : nullptr;
}

const Caller* CallerTable::FindByDnsName(absl::string_view name) const {
  if (dns_names_.empty() || name.size() > kMaxDnsName) return nullptr;
  std::array<char, kMaxDnsName> lower{};
  std::transform(name.begin(), name.end(), lower.begin(),
                 [](char c) { return absl::ascii_tolower(static_cast<unsigned char>(c)); });
  const auto found = dns_names_.find(absl::string_view(lower.data(), name.size()));
  return found == dns_names_.end() ? nullptr : &callers_[found->second];
}

const Caller* CallerTable::FindByToken(absl::string_view token, Memory& memory) const {
  if (token.size() > kMaxToken) return nullptr;
  const Hash hash = jose::Sha256(token);
  if (memory.table_ != id_) {
    std::fill(memory.entries_.begin(), memory.entries_.end(), Memory::Entry());
    memory.table_ = id_;
  }
  Memory::Entry& entry = memory.entries_[absl::Hash<Hash>()(hash) % memory.entries_.size()];
  if (entry.caller != nullptr && Same(entry.hash, hash)) return entry.caller;
  const Caller* const caller = Find(hash);
  if (caller != nullptr) entry = {hash, caller};
  return caller;
}

const Caller* CallerTable::Find(const Hash& hash) const {
  const Caller* found = nullptr;
  // To the end, so that how long it takes does not tell whose token was nearly met.
  for (const Token& token : tokens_) {
    if (Same(token.hash, hash)) found = &callers_[token.caller];
  }
  return found;
}

}  // namespace gatehouse::frontend
