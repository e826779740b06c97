#include "server/keys/url.h"

#include <gtest/gtest.h>

namespace gatehouse::keys {
namespace {

TEST(Url, PartsAreThoseThatLibcurlFetches) {
  const auto url = ParseUrl("HTTPS://[::1]:8443/jwks?a=b");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "::1");
  EXPECT_FALSE(url->has_credentials);
  EXPECT_FALSE(url->has_fragment);
}

TEST(Url, ShortFormsOfAnAddressAreTheAddress) {
  const auto url = ParseUrl("http://127.1/jwks");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_TRUE(IsLoopbackHost(url->host));
}

TEST(Url, CredentialsAndFragmentsAreSeen) {
  EXPECT_TRUE(ParseUrl("https://a@example.com/")->has_credentials);
  EXPECT_TRUE(ParseUrl("https://a:b@example.com/")->has_credentials);
  EXPECT_TRUE(ParseUrl("https://:b@example.com/")->has_credentials);
  EXPECT_TRUE(ParseUrl("https://example.com/#")->has_fragment);
  EXPECT_TRUE(ParseUrl("https://example.com/#a")->has_fragment);
}

TEST(Url, WhatIsNoUrlIsRefusedWithoutBeingShown) {
  for (const std::string bad : {"", "hunter2", "/hunter2", "https://", "https://hunter2 x/",
                                "https://example.com:99999/hunter2", "https://[hunter2]/"}) {
    const auto url = ParseUrl(bad);
    ASSERT_FALSE(url.ok()) << bad;
    EXPECT_EQ(std::string(url.status().message()).find("hunter2"), std::string::npos);
  }
  EXPECT_FALSE(ParseUrl(std::string("https://a\0.example/", 19)).ok());
}

TEST(IsLoopbackHost, LoopbackAndNothingThatLooksLikeIt) {
  for (const char* good :
       {"127.0.0.1", "127.255.255.254", "::1", "localhost", "LocalHost", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(IsLoopbackHost(good)) << good;
  }
  for (const char* bad : {"", "0.0.0.0", "128.0.0.1", "126.255.255.255", "::", "::2",
                          "::ffff:127.0.0.1", "localhost.", "localhost.example.com",
                          "127.0.0.1.example.com", "127.1", "127.0.0.1 ", "[::1]"}) {
    EXPECT_FALSE(IsLoopbackHost(bad)) << bad;
  }
}

TEST(WithoutQuery, TheQueryIsLeftOut) {
  EXPECT_EQ(WithoutQuery("https://a.example/jwks"), "https://a.example/jwks");
  EXPECT_EQ(WithoutQuery("https://a.example/jwks?key=hunter2"), "https://a.example/jwks?...");
}

}  // namespace
}  // namespace gatehouse::keys
