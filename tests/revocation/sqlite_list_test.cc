// How long a page of a SQLite store may be.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kPageText = size_t{256} * 1024;

class SqliteList : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
    auto store = OpenSqliteStore({.path = path_}, clock_, listener_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // Appends one whose strings are `text` bytes together.
  void Append(size_t text) {
    NewFact fact = SubjectFact(absl::StrCat("u", ++subjects_));
    const size_t others = 32 + fact.issuer.size() + fact.target.size() + fact.actor.size();
    fact.reason.assign(text - others, 'r');
    ASSERT_TRUE(AppendAndWait(*store_, fact).ok());
  }
  ListResult Page(int limit, int64_t before = 0) {
    auto page = ListAndWait(*store_, {.limit = limit, .before_revision = before});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? *std::move(page) : ListResult();
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  RecordingListener listener_;
  std::unique_ptr<RevocationStore> store_;
  int subjects_ = 0;
};

TEST_F(SqliteList, APageHolds256KiBOfTextAndNotOneByteMore) {
  for (const size_t last : {kPageText / 4, kPageText / 4 + 1}) {
    for (int i = 0; i < 3; ++i) Append(kPageText / 4);
    Append(last);
    const bool fits = last == kPageText / 4;
    // The older of the four begins the next page when it does not fit.
    const ListResult page = Page(4, subjects_ + 1);
    EXPECT_EQ(page.facts.size(), fits ? 4 : 3);
    EXPECT_EQ(page.more, !fits);
  }
}

TEST_F(SqliteList, APageThatTheTextFillsSaysWhetherThereIsMore) {
  for (int i = 0; i < 4; ++i) Append(kPageText / 4);
  EXPECT_FALSE(Page(1000).more);
  EXPECT_EQ(Page(1000).facts.size(), 4);
  Append(kPageText / 4);
  EXPECT_TRUE(Page(1000).more);
  EXPECT_EQ(Page(1000).facts.size(), 4);
  EXPECT_EQ(Page(2).facts.size(), 2);
}

TEST_F(SqliteList, AFactLongerThanAPageIsAPageOfItsOwn) {
  Append(1000);
  Append(kPageText + 1);
  Append(1000);
  const ListResult first = Page(1000);
  ASSERT_EQ(first.facts.size(), 1);
  EXPECT_TRUE(first.more);
  const ListResult second = Page(1000, 3);
  ASSERT_EQ(second.facts.size(), 1);
  EXPECT_EQ(second.facts[0].revision, 2);
  EXPECT_TRUE(second.more);
  const ListResult third = Page(1000, 2);
  EXPECT_EQ(third.facts.size(), 1);
  EXPECT_FALSE(third.more);
}

TEST_F(SqliteList, PagesThatTheTextEndsHoldEveryFactOnce) {
  constexpr int kFacts = 100;
  for (int i = 0; i < kFacts; ++i) Append(size_t{1000} + static_cast<size_t>(i) * 300);
  std::vector<int64_t> revisions;
  int pages = 0;
  bool more = true;
  for (; more; ++pages) {
    const ListResult page = Page(1000, revisions.empty() ? 0 : revisions.back());
    ASSERT_FALSE(page.facts.empty());
    for (const Fact& fact : page.facts) revisions.push_back(fact.revision);
    more = page.more;
  }
  EXPECT_GT(pages, 5);
  ASSERT_EQ(revisions.size(), kFacts);
  for (int i = 0; i < kFacts; ++i) EXPECT_EQ(revisions[static_cast<size_t>(i)], kFacts - i);
}

}  // namespace
}  // namespace gatehouse::revocation
