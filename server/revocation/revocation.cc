#include "server/revocation/revocation.h"

#include <algorithm>

namespace gatehouse::revocation {
namespace {

// A time that a mark can hold, which is neither "nothing" nor "everything".
uint32_t Clamp(int64_t seconds) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(seconds, Marks::kNothing + 1, int64_t{Marks::kEverything} - 1));
}

}  // namespace

Marks MarksOf(const NewFact& fact) {
  if (fact.suspends) {
    const int64_t whole = absl::ToUnixSeconds(fact.end_time);
    const bool is_cut = absl::FromUnixSeconds(whole) < fact.end_time;
    return {.issued_until = Marks::kNothing,
            .suspended_until = Clamp(is_cut && whole < Marks::kEverything ? whole + 1 : whole)};
  }
  return {.issued_until = fact.issued_until == kAll ? Marks::kEverything : Clamp(fact.issued_until),
          .suspended_until = Marks::kNothing};
}

}  // namespace gatehouse::revocation
