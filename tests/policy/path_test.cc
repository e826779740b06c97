#include "server/policy/path.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gatehouse::policy {
namespace {

using Texts = std::vector<std::string>;

// The segments, or the reason alone.
Texts Read(absl::string_view target) {
  Path path;
  const absl::Status status = path.Read(target);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(path.segments().empty());
    EXPECT_EQ(path.Rest(0), "");
    return {std::string(status.message())};
  }
  return {path.segments().begin(), path.segments().end()};
}

// Why `target` is refused; "" if it is not.
std::string Why(absl::string_view target) {
  const absl::Status status = Path().Read(target);
  return std::string(status.message());
}

TEST(PathTest, SegmentsAreBetweenSlashes) {
  EXPECT_EQ(Read("/"), Texts({""}));
  EXPECT_EQ(Read("/a"), Texts({"a"}));
  EXPECT_EQ(Read("/a/"), Texts({"a", ""}));
  EXPECT_EQ(Read("/api/u1/tasks/42"), Texts({"api", "u1", "tasks", "42"}));
  EXPECT_EQ(Read("/a/b?c=/d//e/../%2f;"), Texts({"a", "b"}));
  EXPECT_EQ(Read("/a?"), Texts({"a"}));
  EXPECT_EQ(Read("/a?b?c"), Texts({"a"}));
}

TEST(PathTest, EscapesAreDecodedOnce) {
  EXPECT_EQ(Read("/a%20b/"), Texts({"a b", ""}));
  EXPECT_EQ(Read("/%61%64min"), Texts({"admin"}));
  EXPECT_EQ(Read("/%C3%A9t%c3%a9"), Texts({"\u00e9t\u00e9"}));
  EXPECT_EQ(Read("/100%25"), Texts({"100%"}));
  EXPECT_EQ(Read("/100%25zz"), Texts({"100%zz"}));
  EXPECT_EQ(Read("/a+b@c,d:e=f&g$h!i*j(k)~-_"), Texts({"a+b@c,d:e=f&g$h!i*j(k)~-_"}));
  EXPECT_EQ(Read("/%f0%9f%98%80"), Texts({"\U0001F600"}));
}

TEST(PathTest, WhatDoesNotBeginWithASlashIsRefused) {
  EXPECT_EQ(Why(""), "the path is empty");
  for (const char* target : {"*", "a", "http://a/b", "?a", "%2fa", " /a"}) {
    EXPECT_EQ(Why(target), "the path does not begin with '/'") << target;
  }
}

TEST(PathTest, EmptySegmentsAreRefusedButAtTheEnd) {
  for (const char* target : {"//", "//a", "/a//b", "/a//", "/a//?b"}) {
    EXPECT_EQ(Why(target), "the path has an empty segment") << target;
  }
}

TEST(PathTest, DotSegmentsAreRefusedHoweverWritten) {
  for (const char* target :
       {"/.", "/..", "/a/./b", "/a/../b", "/a/..", "/%2e", "/a/%2E%2e/b", "/a/.%2e", "/./"}) {
    EXPECT_EQ(Why(target), "the path has a dot segment") << target;
  }
  EXPECT_EQ(Why("/.a/..b/a.b/.well-known"), "");
}

TEST(PathTest, SegmentsThatWindowsCutsShortAreRefused) {
  for (const char* target : {"/...", "/a.", "/a./b", "/a%2e", "/a/b..", "/a%20."}) {
    EXPECT_EQ(Why(target), "the path has a segment that ends in a dot") << target;
  }
  for (const char* target : {"/a%20", "/%20/b", "/a/..%20"}) {
    EXPECT_EQ(Why(target), "the path has a segment that ends in a space") << target;
  }
  EXPECT_EQ(Why("/%20a/b%20c"), "");
}

TEST(PathTest, ParametersBackslashesAndOtherSeparatorsAreRefusedAsTheyAreAndEscaped) {
  EXPECT_EQ(Why("/a;b"), "the path has a ';'");
  EXPECT_EQ(Why("/a/..;/b"), "the path has a ';'");
  EXPECT_EQ(Why("/a%3bb"), "the path has an escaped ';' (%3b)");
  EXPECT_EQ(Why("/a/..%3B/b"), "the path has an escaped ';' (%3b)");
  EXPECT_EQ(Why("/a\\b"), "the path has a backslash");
  EXPECT_EQ(Why("/a%5Cb"), "the path has an escaped backslash (%5c)");
  EXPECT_EQ(Why("/a%2Fb"), "the path has an escaped slash (%2f)");
  EXPECT_EQ(Why("/a%2fb"), "the path has an escaped slash (%2f)");
  EXPECT_EQ(Why("/a%3fb"), "the path has an escaped '?' (%3f)");
  EXPECT_EQ(Why("/a#b"), "the path has a '#'");
  EXPECT_EQ(Why("/a%23b"), "the path has an escaped '#' (%23)");
  EXPECT_EQ(Why("/a b"), "the path has a space that is not escaped");
}

TEST(PathTest, EachControlCharacterIsRefusedAsItIsAndEscaped) {
  for (int c = 0; c < 0x80; ++c) {
    if (c >= 0x20 && c != 0x7F) continue;
    const auto byte = static_cast<char>(c);
    const std::string escaped = absl::StrCat("%", absl::Hex(c, absl::kZeroPad2));
    EXPECT_EQ(Why(absl::StrCat("/a", std::string(1, byte), "b")),
              "the path has a control character")
        << c;
    EXPECT_EQ(Why(absl::StrCat("/a", escaped, "b")), "the path has an escaped control character")
        << c;
    EXPECT_EQ(Why(absl::StrCat("/a?", std::string(1, byte))), "the query has a control character")
        << c;
    EXPECT_EQ(Why(absl::StrCat("/a?", escaped)), "") << c;
  }
  for (int c = 0x80; c < 0xA0; ++c) {
    EXPECT_EQ(Why(absl::StrCat("/a%c2%", absl::Hex(c))),
              "the path has an escaped control character");
  }
  EXPECT_EQ(Why("/%c2%a0"), "");
}

TEST(PathTest, EachByteBeyondAsciiIsRefusedUnlessEscaped) {
  for (int c = 0x80; c < 0x100; ++c) {
    EXPECT_EQ(Why(absl::StrCat("/a", std::string(1, static_cast<char>(c)))),
              "the path has a byte beyond ASCII that is not escaped")
        << c;
  }
  EXPECT_EQ(Why("/\u00e9"), "the path has a byte beyond ASCII that is not escaped");
}

TEST(PathTest, MalformedEscapesAreRefused) {
  for (const char* target :
       {"/%", "/%2", "/%zz", "/%2g", "/%%20", "/a%", "/% 0", "/%u002e", "/%-1", "/%+1", "/%0x"}) {
    const std::string why = Why(target);
    EXPECT_TRUE(why == "the path has a '%' without two hexadecimal digits" ||
                why == "the path has a space that is not escaped")
        << target << why;
  }
  // The end of the path is the end of an escape.
  EXPECT_EQ(Why("/a%2?0"), "the path has a '%' without two hexadecimal digits");
}

TEST(PathTest, EscapesOfEscapesAreRefusedHoweverWritten) {
  for (const char* target :
       {"/%252e", "/%252f", "/a%2500", "/%25%32e", "/%25%32%65", "/%252%65", "/%25ff", "/%25aF"}) {
    EXPECT_EQ(Why(target), "the path is escaped twice") << target;
  }
  EXPECT_EQ(Why("/%25/20"), "");
  EXPECT_EQ(Why("/%252"), "");
}

TEST(PathTest, EscapesThatAreNoUtf8AreRefused) {
  for (const char* target :
       {"/%80", "/%ff", "/%c3", "/%c3/%a9", "/%c3a", "/%c0%af", "/%c0%ae", "/%c1%81", "/%e0%80%af",
        "/%f0%80%80%af", "/%ed%a0%80", "/%ed%bf%bf", "/%f4%90%80%80", "/%f8%88%80%80%80"}) {
    EXPECT_EQ(Why(target), "the path's escapes are not UTF-8") << target;
  }
}

TEST(PathTest, TheQueryMayHoldAnythingButControlCharactersSpacesAndHashes) {
  EXPECT_EQ(Why("/a?b c"), "the query has a space");
  EXPECT_EQ(Why("/a?b#c"), "the query has a '#'");
  EXPECT_EQ(Why("/a?%%%2f..;\\\xff=%252e%00//"), "");
}

TEST(PathTest, ItIsEightKibibytesAndSixtyFourSegmentsAtMost) {
  EXPECT_EQ(Why("/" + std::string(Path::kMaxBytes - 1, 'a')), "");
  EXPECT_EQ(Why("/" + std::string(Path::kMaxBytes, 'a')), "the path is longer than 8 KiB");
  EXPECT_EQ(Why("/?" + std::string(Path::kMaxBytes, 'a')), "the path is longer than 8 KiB");
  std::string path;
  for (size_t i = 0; i < Path::kMaxSegments; ++i) path += "/a";
  EXPECT_EQ(Read(path).size(), Path::kMaxSegments);
  EXPECT_EQ(Why(path + "/"), "the path has more than 64 segments");
  EXPECT_EQ(Why(path + "/a"), "the path has more than 64 segments");
}

TEST(PathTest, RestIsDecodedWithItsSlashes) {
  Path path;
  ASSERT_TRUE(path.Read("/a/b/c/?q").ok());
  EXPECT_EQ(path.Rest(0), "a/b/c/");
  EXPECT_EQ(path.Rest(2), "c/");
  EXPECT_EQ(path.Rest(3), "");
  EXPECT_EQ(path.Rest(4), "");
  ASSERT_TRUE(path.Read("/%20a/b%25/c").ok());
  EXPECT_EQ(path.Rest(1), "b%/c");
}

TEST(PathTest, TheReasonHoldsNothingOfThePath) {
  for (const char* target : {"/secret;x", "/secret%zz", "/secret/../x", "/secret%2f", "secret"}) {
    EXPECT_EQ(Why(target).find("secret"), std::string::npos) << target;
  }
}

TEST(PathTest, WithoutEscapesItsSegmentsLieInTheTargetItself) {
  const std::string target = "/api/u1/tasks/42?x";
  Path path;
  ASSERT_TRUE(path.Read("/%61").ok());
  ASSERT_TRUE(path.Read(target).ok());
  const char* at = target.data();
  for (const absl::string_view segment : path.segments()) {
    EXPECT_EQ(segment.data(), at + 1);
    at = segment.data() + segment.size();
  }
}

// ---- A naive reading, written from the page alone. ----

std::optional<std::string> NaiveDecode(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const std::string digits = text.substr(i + 1, 2);
    if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      return std::nullopt;
    }
    out += static_cast<char>(std::stoi(digits, nullptr, 16));
    i += 2;
  }
  return out;
}

// Splits first and decodes then, as most servers do.
std::optional<Texts> NaiveSegments(const std::string& target) {
  Texts out;
  std::string piece;
  const std::string path = target.substr(0, target.find('?'));
  for (size_t i = 1; i <= path.size(); ++i) {
    if (i < path.size() && path[i] != '/') {
      piece += path[i];
      continue;
    }
    const auto decoded = NaiveDecode(piece);
    if (!decoded.has_value()) return std::nullopt;
    out.push_back(*decoded);
    piece.clear();
  }
  return out;
}

const Texts& Pieces() {
  static const auto* const pieces = new Texts(
      {"/",    "/",   "/",   "a",   "b",   "api", "42",     "%61",       "%20",          ".",
       "%2e",  "?",   "#",   ";",   "%3b", "\\",  "%5c",    "%2f",       "%2F",          "%25",
       "2e",   "%32", "%00", "%7f", "%1F", "\n",  "%c3%a9", "%c3",       "%c0%af",       "%c2%85",
       "\xc3", "%",   "%4",  "%zz", " ",   "%3f", "%23",    "%ed%a0%80", "%f0%9f%98%80", "+"});
  return *pieces;
}

TEST(PathPropertyTest, WhatIsAcceptedIsReadTheSameByAnother) {
  std::mt19937 random(7);
  const auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  std::map<std::string, int> refused;
  int accepted = 0;
  int escaped = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string target = below(40) == 0 ? "" : "/";
    const bool harmless = below(2) == 0;
    for (size_t left = below(12); left > 0; --left) {
      target += Pieces()[below(harmless ? 9 : Pieces().size())];
    }
    if (below(2000) == 0) target += std::string(Path::kMaxBytes, 'a');
    if (below(500) == 0) {
      for (int i = 0; i < 70; ++i) target += "a/";
    }
    Path path;
    const absl::Status status = path.Read(target);
    if (!status.ok()) {
      ++refused[std::string(status.message())];
      continue;
    }
    ++accepted;
    const Texts segments(path.segments().begin(), path.segments().end());
    ASSERT_EQ(NaiveSegments(target), segments) << target;
    escaped += target.substr(0, target.find('?')).find('%') == std::string::npos ? 0 : 1;
    for (size_t first = 0; first < segments.size(); ++first) {
      const auto from = segments.begin() + static_cast<ptrdiff_t>(first);
      ASSERT_EQ(path.Rest(first), absl::StrJoin(from, segments.end(), "/")) << target;
      // Nothing is left for a second decoder, nor for one that removes dots.
      ASSERT_TRUE(segments[first] != "." && segments[first] != "..") << target;
      const auto again = NaiveDecode(segments[first]);
      ASSERT_TRUE(!again.has_value() || *again == segments[first]) << target;
    }
  }
  std::printf("%d paths accepted, %d of them with escapes; refused:\n", accepted, escaped);
  for (const auto& [why, count] : refused) std::printf("%8d %s\n", count, why.c_str());
  EXPECT_GT(accepted, 50'000);
  EXPECT_GT(escaped, 10'000);
  // Every kind that there is.
  EXPECT_EQ(refused.size(), 26u);
}

}  // namespace
}  // namespace gatehouse::policy
