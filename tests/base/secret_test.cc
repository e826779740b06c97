#include "server/base/secret.h"

#include <gtest/gtest.h>

#include <ostream>
#include <type_traits>
#include <utility>

namespace gatehouse {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
template <typename T>
concept Comparable = requires(const T& a, const T& b) { a == b; };

// A secret in a log, or compared by how far it is right, does not compile.
static_assert(!Printable<Secret>);
static_assert(!Comparable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, absl::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);

std::string Bytes() { return std::string("\0secret\xff", 8); }

TEST(Secret, RevealsTheBytesItWasGiven) {
  const Secret secret(Bytes());
  EXPECT_EQ(secret.Reveal(), Bytes());
  EXPECT_EQ(secret.size(), 8);
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
}

TEST(Secret, MovingLeavesNothingBehind) {
  // Longer than what a string keeps inside itself, and as short.
  for (const std::string& bytes : {std::string(100, 'x'), Bytes()}) {
    Secret from{std::string(bytes)};
    const char* const memory = from.Reveal().data();
    Secret to(std::move(from));
    EXPECT_EQ(to.Reveal(), bytes);
    // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the point
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(from.Reveal().data(), memory);
    // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
    EXPECT_NE(to.Reveal().data(), memory);
    EXPECT_EQ(memory[1], '\0');
  }
}

TEST(Secret, AssigningReplacesAndWipes) {
  Secret to(std::string(100, 'o'));
  Secret from(Bytes());
  to = std::move(from);
  EXPECT_EQ(to.Reveal(), Bytes());
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_TRUE(from.empty());
}

TEST(Secret, AssigningItToItselfKeepsIt) {
  Secret secret(Bytes());
  Secret& same = secret;
  secret = std::move(same);
  EXPECT_EQ(secret.Reveal(), Bytes());
}

}  // namespace
}  // namespace gatehouse
