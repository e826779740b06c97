#include "server/frontend/forwarded_client_cert.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace gatehouse::frontend {
namespace {

constexpr char kId[] = "spiffe://a.b/c";

TEST(ForwardedClientCert, TheLastElementsUriCounts) {
  for (const char* header : {
           "URI=spiffe://a.b/c",
           "uri=spiffe://a.b/c",
           "URI=\"spiffe://a.b/c\"",
           "By=spiffe://x/y;Hash=0a;Subject=\"CN=a,O=\\\"b\\\"\";URI=spiffe://a.b/c;DNS=d",
           "URI=spiffe://x/y,URI=spiffe://a.b/c",
           "URI=1;URI=2,Hash=1, URI=spiffe://a.b/c",
           "Subject=\"URI=spiffe://x/y,By=z\";URI=spiffe://a.b/c",
           "Subject=\"\";URI=spiffe://a.b/c",
           "Subject=\"\\\\\";URI=spiffe://a.b/c",
           "By=http://a?b=c;URI=spiffe://a.b/c",
           "Cert=\"-----BEGIN%20CERTIFICATE-----%0A\";URI=spiffe://a.b/c",
       }) {
    EXPECT_EQ(ForwardedSpiffeId(header), kId) << header;
  }
}

TEST(ForwardedClientCert, OneThatIsNotOfTheFormTellsOfNobody) {
  for (const char* header : {
           "",
           " ",
           ",",
           ";",
           "=",
           "URI",
           "URI=",
           "=spiffe://a.b/c",
           "spiffe://a.b/c",
           "URI=spiffe://a.b/c,",
           ",URI=spiffe://a.b/c",
           "URI=spiffe://a.b/c;",
           ";URI=spiffe://a.b/c",
           "URI=spiffe://a.b/c;;By=a",
           "URI=spiffe://a.b/c, ",
           "URI =spiffe://a.b/c",
           "URI= spiffe://a.b/c",
           "URI=spiffe://a.b/c ",
           "URI=spiffe://a.b/c,,URI=spiffe://a.b/c",
           "By=a URI=spiffe://a.b/c",
           "U RI=spiffe://a.b/c",
           "1URI=spiffe://a.b/c",
           // Quotes.
           "URI=\"spiffe://a.b/c",
           "URI=spiffe://a.b/c\"",
           "URI=\"spiffe://a.b/c\"\"",
           "URI=\"spiffe://a.b/c\"x",
           "URI=x\"spiffe://a.b/c\"",
           "Subject=\"a\"b;URI=spiffe://a.b/c",
           "Subject=\"a;URI=spiffe://a.b/c",
           "Subject=\"a\\\";URI=spiffe://a.b/c",
           "Subject=\"a\\",
           "Subject=\"",
           "\"URI\"=spiffe://a.b/c",
           "URI=\"spiffe://a.b\\/c\"",
           "x\",URI=spiffe://a.b/c",
           // What the nearest proxy adds behind an open quote.
           "Subject=\"x,By=z;Subject=\"CN=y\";URI=spiffe://a.b/c",
           "Subject=\"x\\,By=z;Subject=\"CN=y\";URI=spiffe://a.b/c",
           "Subject=\"x,By=z;URI=spiffe://a.b/c",
           // Control characters.
           "URI=spiffe://a.b/c\n",
           "By=\t;URI=spiffe://a.b/c",
           "By=\x7f;URI=spiffe://a.b/c",
           "By=\xc3\xa4;URI=spiffe://a.b/c",
       }) {
    EXPECT_EQ(ForwardedSpiffeId(header), "") << header;
  }
  EXPECT_EQ(ForwardedSpiffeId(absl::string_view("URI=spiffe://a.b/c\0", 19)), "");
}

TEST(ForwardedClientCert, TheLastElementHasExactlyOneUriWhichIsASpiffeId) {
  for (const char* header : {
           "By=a;Hash=b",
           "URI=spiffe://a.b/c,By=a",
           "URI=spiffe://a.b/c;URI=spiffe://a.b/c",
           "URI=spiffe://a.b/c;uri=",
           "DNS=spiffe://a.b/c",
           "URI=https://a.b/c",
           "URI=spiffe://A.b/c",
           "URI=spiffe://a.b/c/",
           "URI=spiffe://a.b/../c",
           "URI=spiffe://a.b/*",
           "URI=spiffe://a.b/c?d=e",
           "URI=SPIFFE://a.b/c",
       }) {
    EXPECT_EQ(ForwardedSpiffeId(header), "") << header;
  }
}

TEST(ForwardedClientCert, IsBounded) {
  const std::string end = absl::StrCat(";URI=", kId);
  const size_t room = size_t{16} * 1024 - end.size() - 3;
  EXPECT_EQ(ForwardedSpiffeId(absl::StrCat("By=", std::string(room, 'a'), end)), kId);
  EXPECT_EQ(ForwardedSpiffeId(absl::StrCat("By=", std::string(room + 1, 'a'), end)), "");
}

}  // namespace
}  // namespace gatehouse::frontend
