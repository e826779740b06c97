#include "server/keys/http_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "tests/keys/jwks_server.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr FetchLimits kLimits{.timeout = absl::Seconds(60), .max_bytes = 1000};

absl::StatusOr<FetchAnswer> Get(HttpFetcher& fetcher, const std::string& url,
                                const FetchLimits& limits = kLimits) {
  return fetcher.Get({.url = url, .limits = limits});
}

std::string BodyOf(const absl::StatusOr<FetchAnswer>& answer) {
  return answer.ok() ? answer->body : "failed";
}

std::string ErrorOf(const std::string& url, const FetchLimits& limits = kLimits) {
  HttpFetcher fetcher;
  const auto answer = Get(fetcher, url, limits);
  if (answer.ok()) return "succeeded";
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  return std::string(answer.status().message());
}

TEST(HttpFetcher, TheBodyOfA200) {
  const JwksServer server({.body = "hello"});
  HttpFetcher fetcher;
  EXPECT_EQ(BodyOf(Get(fetcher, server.Url())), "hello");
  EXPECT_EQ(BodyOf(Get(fetcher, server.Url())), "hello");
  EXPECT_EQ(server.Requests(), 2);
}

TEST(HttpFetcher, TheRequestSaysWhoAsksAndNothingElse) {
  const JwksServer server({.body = "hello"});
  EXPECT_EQ(ErrorOf(server.Url("/keys?a=b")), "succeeded");
  const std::string request = server.LastRequest();
  EXPECT_THAT(request, StartsWith("GET /keys?a=b HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("User-Agent: gatehouse/0."));
  EXPECT_THAT(request, Not(HasSubstr("Authorization")));
  EXPECT_THAT(request, Not(HasSubstr("Cookie")));
  EXPECT_THAT(request, Not(HasSubstr("Accept-Encoding")));
}

TEST(HttpFetcher, ABodyOfExactlyTheLimitIsTakenAndOneByteMoreIsNot) {
  JwksServer server({.body = std::string(1000, 'x')});
  EXPECT_EQ(ErrorOf(server.Url()), "succeeded");
  server.SetReply({.body = std::string(1001, 'x')});
  EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("larger than 1000 bytes"));
}

TEST(HttpFetcher, TheLimitHoldsForABodyThatDoesNotSayItsSize) {
  JwksServer server({.body = std::string(1000, 'x'), .without_length = true});
  EXPECT_EQ(ErrorOf(server.Url()), "succeeded");
  server.SetReply({.body = std::string(1001, 'x'), .without_length = true});
  EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("larger than 1000 bytes"));
}

TEST(HttpFetcher, AnEndlessBodyIsHungUpOn) {
  const JwksServer server({.body = std::string(4096, 'x'), .endless = true});
  EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("larger than 1000 bytes"));
  server.WaitForHangUps(1);
}

TEST(HttpFetcher, HeadersHaveALimitToo) {
  std::string headers;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&headers, "X: ", std::string(1000, 'x'), "\r\n");
  const JwksServer server({.body = "hello", .headers = headers});
  EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("headers are too large"));
}

TEST(HttpFetcher, ABodyCutOffIsAFailure) {
  const JwksServer server({.body = "hello world", .cut_after = 5});
  EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("Transferred a partial file"));
}

TEST(HttpFetcher, EveryStatusButA200IsAFailure) {
  JwksServer server({});
  for (const int status : {201, 204, 304, 400, 401, 403, 404, 429, 500, 503}) {
    server.SetReply({.status = status, .body = "hello", .without_length = true});
    EXPECT_THAT(ErrorOf(server.Url()), HasSubstr(absl::StrCat("answered HTTP ", status)));
  }
}

TEST(HttpFetcher, ARedirectIsNotFollowed) {
  const JwksServer target({.body = "hello"});
  for (const int status : {301, 302, 303, 307, 308}) {
    const JwksServer server(
        {.status = status, .headers = absl::StrCat("Location: ", target.Url(), "\r\n")});
    EXPECT_THAT(ErrorOf(server.Url()), HasSubstr("a redirect, and redirects are not followed"));
  }
  EXPECT_EQ(target.Requests(), 0);
}

TEST(HttpFetcher, ARefusedConnectionNamesTheUrlAndTheReason) {
  const JwksServer server({}, /*start=*/false);
  EXPECT_THAT(ErrorOf(server.Url()),
              AllOf(StartsWith(server.Url() + ": "), HasSubstr("Connection refused")));
}

TEST(HttpFetcher, TheQueryStandsInNoMessage) {
  const JwksServer down({}, /*start=*/false);
  EXPECT_THAT(ErrorOf(down.Url("/jwks?key=hunter2")), Not(HasSubstr("hunter2")));
  const JwksServer broken({.status = 500});
  EXPECT_THAT(ErrorOf(broken.Url("/jwks?key=hunter2")), Not(HasSubstr("hunter2")));
}

TEST(HttpFetcher, OtherSchemesAreRefused) {
  for (const char* url : {"file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/"}) {
    EXPECT_THAT(ErrorOf(url), HasSubstr("Unsupported protocol"));
  }
}

TEST(HttpFetcher, TheTimeoutHoldsForTheWholeFetch) {
  const JwksServer server({.body = "hello", .hold = true});
  EXPECT_THAT(ErrorOf(server.Url(), {.timeout = absl::Milliseconds(20), .max_bytes = 1000}),
              HasSubstr("Timeout was reached"));
}

TEST(HttpFetcher, APlainServerIsNoHttpsServer) {
  const JwksServer server({.body = "hello"});
  std::string url = server.Url();
  EXPECT_THAT(ErrorOf(url.replace(0, 4, "https")), HasSubstr("SSL"));
}

TEST(HttpFetcher, AProxyFromTheEnvironmentIsNotUsedForLoopback) {
  const JwksServer server({.body = "hello"});
  const JwksServer proxy({.body = "forged"});
  setenv("http_proxy", proxy.Url("").c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  HttpFetcher fetcher;
  const auto answer = Get(fetcher, server.Url());
  unsetenv("http_proxy");  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(BodyOf(answer), "hello");
  EXPECT_EQ(proxy.Requests(), 0);
}

TEST(HttpFetcher, AbortEndsTheRunningFetch) {
  JwksServer server({.body = "hello", .hold = true});
  HttpFetcher fetcher;
  std::thread aborter([&] {
    server.WaitForRequests(1);
    fetcher.Abort();
  });
  const auto answer = Get(fetcher, server.Url(), {.timeout = absl::Hours(1), .max_bytes = 1000});
  aborter.join();
  EXPECT_TRUE(absl::IsCancelled(answer.status())) << answer.status();
  EXPECT_TRUE(absl::IsCancelled(Get(fetcher, server.Url()).status()));
}

TEST(HttpFetcher, WhatIsKnownIsNotSentAgain) {
  const JwksServer server({.body = "hello", .etag = "\"v1\""});
  HttpFetcher fetcher;
  const auto first = Get(fetcher, server.Url());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->validators.etag, "\"v1\"");
  FetchRequest again{.url = server.Url(), .limits = kLimits, .known = first->validators};
  again.known.last_modified = "Sat, 21 Nov 2026 12:00:00 GMT";
  const auto second = fetcher.Get(again);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->not_modified);
  EXPECT_EQ(second->body, "");
  EXPECT_THAT(server.LastRequest(),
              AllOf(HasSubstr("If-None-Match: \"v1\"\r\n"),
                    HasSubstr("If-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT\r\n")));
}

TEST(HttpFetcher, TheAnswerSaysHowLongItMayBeKept) {
  const JwksServer server(
      {.body = "hello", .headers = "cache-control: public, max-age=600\r\nAge: 60\r\n"});
  HttpFetcher fetcher;
  const auto answer = Get(fetcher, server.Url());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->lifetime, absl::Seconds(540));
}

TEST(HttpFetcher, MeanwhileIsCalledWhileTheServerIsSilent) {
  JwksServer server({.body = "hello", .hold = true});
  HttpFetcher fetcher;
  int calls = 0;
  const auto answer = fetcher.Get({.url = server.Url(), .limits = kLimits}, [&] {
    if (++calls == 3) server.Release();
  });
  EXPECT_EQ(BodyOf(answer), "hello");
}

}  // namespace
}  // namespace gatehouse::keys
