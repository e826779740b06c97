#include "server/edge/syntax.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace gatehouse::edge {
namespace {

std::string HostOf(absl::string_view sent) {
  std::string host;
  return ReadHost(sent, host) ? host : "none";
}

TEST(SyntaxTest, AMethodIsUpToTwentyUpperCaseLetters) {
  EXPECT_TRUE(IsMethod("GET"));
  EXPECT_TRUE(IsMethod(std::string(20, 'A')));
  EXPECT_FALSE(IsMethod(std::string(21, 'A')));
  for (const absl::string_view no : {"", "get", "Get", "GET ", " GET", "M-SEARCH", "GET\n", "GET1",
                                     "GÉT", "GET,POST", "[", "@"}) {
    EXPECT_FALSE(IsMethod(no)) << no;
  }
  EXPECT_FALSE(IsMethod(absl::string_view("G\0T", 3)));
}

TEST(SyntaxTest, AHostLosesItsPortItsCaseAndOneDot) {
  EXPECT_EQ(HostOf("API.Example.com"), "api.example.com");
  EXPECT_EQ(HostOf("api.example.com:443"), "api.example.com");
  EXPECT_EQ(HostOf("api.example.com."), "api.example.com");
  EXPECT_EQ(HostOf("api.example.com.:65535"), "api.example.com");
  EXPECT_EQ(HostOf("10.0.0.1:80"), "10.0.0.1");
  EXPECT_EQ(HostOf("my_service-1"), "my_service-1");
}

TEST(SyntaxTest, AnAddressOfSixKeepsItsBrackets) {
  EXPECT_EQ(HostOf("[::1]"), "[::1]");
  EXPECT_EQ(HostOf("[2001:DB8::1]:8443"), "[2001:db8::1]");
  for (const absl::string_view no : {"[::1", "::1", "[::1]x", "[::1]:", "[]", "[]:80", "[::1]]",
                                     "[fe80::1%eth0]", "x[::1]", "[::1].", "[a", "]"}) {
    EXPECT_EQ(HostOf(no), "none") << no;
  }
}

TEST(SyntaxTest, WhatCouldBeReadAsAnotherHostIsNone) {
  for (const absl::string_view no :
       {"",      ".",        "..",    "a..",  "a..b",   ".a",     ":80",         "a:",
        "a:b",   "a:123456", "a:1:2", "a,b",  "a b",    "user@a", "a/b",         "a\\b",
        "a?b",   "a#b",      "a%2eb", "a\tb", "a\r\nb", "a;b",    "caf\xC3\xA9", "*.example.com",
        "a\x7f", " a",       "a "}) {
    EXPECT_EQ(HostOf(no), "none") << no;
  }
  EXPECT_EQ(HostOf(absl::string_view("a\0b", 3)), "none");
}

TEST(SyntaxTest, AHostHasTheLengthThatDnsHas) {
  EXPECT_NE(HostOf(std::string(255, 'a')), "none");
  EXPECT_EQ(HostOf(std::string(256, 'a')), "none");
}

}  // namespace
}  // namespace gatehouse::edge
