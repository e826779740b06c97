#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace gatehouse::revocation {

// What is in force on a tag, all its facts put together: times in whole seconds since
// 1970, until the year 2106. Neither kind of fact contains the other, so there are two.
struct Marks {
  static constexpr uint32_t kNothing = 0;
  static constexpr uint32_t kEverything = std::numeric_limits<uint32_t>::max();

  // Refused are tokens with floor(iat) at or before this; kEverything: all of them.
  uint32_t issued_until = kNothing;
  // Refused are all tokens before this moment: the latest end of a suspension.
  uint32_t suspended_until = kNothing;

  bool empty() const { return issued_until == kNothing && suspended_until == kNothing; }
  // Whether they refuse any token at all.
  bool AreInForce(int64_t now) const { return issued_until != kNothing || now < suspended_until; }
  // Of a token without iat `issued_at` is the lowest value: every time covers it.
  bool Refuse(int64_t issued_at, int64_t now) const {
    return (issued_until != kNothing &&
            (issued_until == kEverything || issued_at <= issued_until)) ||
           now < suspended_until;
  }

  friend Marks operator|(const Marks& a, const Marks& b) {
    return {std::max(a.issued_until, b.issued_until),
            std::max(a.suspended_until, b.suspended_until)};
  }
  friend bool operator==(const Marks&, const Marks&) = default;
};

}  // namespace gatehouse::revocation
