// Export, import and backup.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string Id(int64_t number) {
  return absl::StrCat(absl::Hex(number, absl::kZeroPad16), "0000000000000000");
}

v1::Revocation OfSession(int64_t revision) {
  v1::Revocation revocation;
  revocation.set_id(Id(revision));
  revocation.mutable_session()->set_issuer("https://i");
  revocation.mutable_session()->set_session_id(absl::StrCat("s", revision));
  revocation.set_issuer("https://i");
  revocation.mutable_create_time()->set_seconds(1795216315);
  revocation.set_revision(revision);
  return revocation;
}

class RevocationListsTest : public ::testing::Test {
 protected:
  RevocationListsTest() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-lists-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    server_.import = [this](const v1::ImportRevocationsRequest& request,
                            v1::ImportRevocationsResponse& reply) {
      batches_.push_back(request);
      reply.set_added(request.revocations_size() - 1);
      reply.set_known(1);
      reply.set_revision(9);
      reply.set_store_id("e");
      return grpc::Status::OK;
    };
  }
  ~RevocationListsTest() override { std::filesystem::remove_all(folder_); }

  // Answers pages of `total` revocations, newest first.
  void Hold(int64_t total) {
    server_.list = [total](const v1::ListRevocationsRequest& request,
                           v1::ListRevocationsResponse& reply) {
      EXPECT_TRUE(request.with_past());
      int64_t next = request.page_token().empty() ? total : std::stoll(request.page_token());
      const int64_t last = std::max<int64_t>(0, next - request.page_size());
      for (; next > last; --next) *reply.add_revocations() = OfSession(next);
      if (next > 0) reply.set_next_page_token(std::to_string(next));
      reply.set_revision(total);
      reply.set_store_id("e");
      return grpc::Status::OK;
    };
  }

  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Read(const std::string& name) const {
    std::ifstream in(Path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    return Path(name);
  }
  size_t Files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                             std::filesystem::directory_iterator()));
  }
  // A list of so many, as `export` writes it.
  std::string List(int64_t total) {
    Hold(total);
    EXPECT_EQ(server_.Run({"revocations", "export", Path("list.jsonl")}).code, 0);
    return Read("list.jsonl");
  }
  int64_t Sent() const {
    int64_t sent = 0;
    for (const auto& batch : batches_) sent += batch.revocations_size();
    return sent;
  }

  FakeServer server_;
  std::filesystem::path folder_;
  std::vector<v1::ImportRevocationsRequest> batches_;
};

TEST_F(RevocationListsTest, ExportIsTheOldestFirstWithAnEndLine) {
  Hold(2500);
  const Result result = server_.Run({"revocations", "export"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2501);
  EXPECT_THAT(result.out, StartsWith(absl::StrCat(R"({"id":")", Id(1), R"(",)")));
  size_t at = 0;
  for (int64_t i = 1; i <= 2500; ++i) {
    const size_t next = result.out.find(absl::StrCat(R"("id":")", Id(i), "\""), at);
    ASSERT_NE(next, std::string::npos) << i;
    at = next;
  }
  EXPECT_THAT(
      result.out,
      EndsWith(
          "\n{\"end_of_list\":{\"revocations\":2500,\"revision\":2500,\"store_id\":\"e\"}}\n"));
}

TEST_F(RevocationListsTest, ExportOfNothingIsAnEndLine) {
  Hold(0);
  const Result result = server_.Run({"revocations", "export", "-"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith(R"({"end_of_list":{"revocations":0,)"));
}

TEST_F(RevocationListsTest, ExportReplacesAFileAsAWhole) {
  Write("list.jsonl", "what was there");
  Hold(3);
  const Result result = server_.Run({"revocations", "export", Path("list.jsonl")});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, absl::StrCat("exported 3 revocations to ", Path("list.jsonl"), "\n"));
  EXPECT_THAT(Read("list.jsonl"), EndsWith("}}\n"));
  EXPECT_EQ(Files(), 1U);
  struct stat info;
  ASSERT_EQ(stat(Path("list.jsonl").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RevocationListsTest, ExportThatBreaksOffLeavesTheFileAsItWas) {
  Write("list.jsonl", "what was there");
  server_.list = [](const v1::ListRevocationsRequest& request, v1::ListRevocationsResponse& reply) {
    if (!request.page_token().empty()) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
    }
    *reply.add_revocations() = OfSession(2);
    reply.set_next_page_token("2");
    return grpc::Status::OK;
  };
  EXPECT_EQ(server_.Run({"revocations", "export", Path("list.jsonl")}).code, 2);
  EXPECT_EQ(Read("list.jsonl"), "what was there");
  EXPECT_EQ(Files(), 1U);
  const Result to_output = server_.Run({"revocations", "export"});
  EXPECT_EQ(to_output.code, 2);
  EXPECT_THAT(to_output.out, IsEmpty());
}

TEST_F(RevocationListsTest, StoreThatChangesOnTheWayIsExitCode2) {
  server_.list = [](const v1::ListRevocationsRequest& request, v1::ListRevocationsResponse& reply) {
    reply.set_store_id(request.page_token().empty() ? "a" : "b");
    *reply.add_revocations() = OfSession(2);
    if (request.page_token().empty()) reply.set_next_page_token("2");
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"revocations", "export"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("another store"));
}

TEST_F(RevocationListsTest, ExportInAFolderThatIsNotThereIsExitCode2) {
  Hold(1);
  const Result result = server_.Run({"revocations", "export", Path("none/list.jsonl")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("none/list.jsonl"));
}

TEST_F(RevocationListsTest, ImportSendsWhatWasExportedInBatches) {
  List(1201);
  const Result result = server_.Run({"revocations", "import", Path("list.jsonl")});
  EXPECT_EQ(result.code, 0) << result.err;
  ASSERT_EQ(batches_.size(), 3U);
  EXPECT_EQ(batches_[0].revocations_size(), 500);
  EXPECT_EQ(Sent(), 1201);
  EXPECT_EQ(batches_[0].revocations(0).SerializeAsString(), OfSession(1).SerializeAsString());
  EXPECT_EQ(result.out,
            "imported\n  added         1198\n  known before  3\n  revision      9\n"
            "  store         e\n");
}

TEST_F(RevocationListsTest, LongEntriesMakeSmallerBatches) {
  v1::Revocation revocation = OfSession(1);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&text, R"({"id":")", Id(i), R"(","issuer":"i","session":{"issuer":"i",)",
                    R"("session_id":")", std::string(1000, 's'), "\"}}\n");
  }
  absl::StrAppend(&text, R"({"end_of_list":{"revocations":300}})");
  EXPECT_EQ(server_.Run({"revocations", "import", "-"}, text).code, 0);
  EXPECT_EQ(Sent(), 300);
  for (const auto& batch : batches_) EXPECT_LT(batch.ByteSizeLong(), 100U * 1024);
}

TEST_F(RevocationListsTest, DamagedLineIsNamedAndNothingOfItsBatchIsSent) {
  std::string list = List(700);
  const size_t line_601 = list.find(Id(601));
  list[list.find("issuer", line_601)] = 'x';
  const Result result = server_.Run({"revocations", "import", Write("bad.jsonl", list)});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("bad.jsonl:601: is no revocation"),
                                HasSubstr("Nothing was imported from line 501 on"),
                                HasSubstr("499 added, 1 known before")));
  EXPECT_EQ(Sent(), 500);
}

TEST_F(RevocationListsTest, EntryThatTheServerRefusesIsNamedByItsLine) {
  List(700);
  server_.import = [this](const v1::ImportRevocationsRequest& request, auto&) {
    batches_.push_back(request);
    if (batches_.size() == 1) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        "revocations[7].create_time: is not set");
  };
  const Result result = server_.Run({"revocations", "import", Path("list.jsonl")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("list.jsonl:508: create_time: is not set"));
}

TEST_F(RevocationListsTest, WhatWasImportedBeforeAFailureIsTold) {
  List(700);
  server_.import = [this](const v1::ImportRevocationsRequest& request,
                          v1::ImportRevocationsResponse& reply) {
    batches_.push_back(request);
    reply.set_added(500);
    if (batches_.size() == 1) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "disk full");
  };
  const Result result = server_.Run({"revocations", "import", Path("list.jsonl")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("disk full"), HasSubstr("from line 501 on"), HasSubstr("500 added")));
}

TEST_F(RevocationListsTest, ListThatWasCutOffIsImportedAndExitCode2) {
  const std::string list = List(3);
  const std::string cut = list.substr(0, list.rfind("{\"end_of_list"));
  const Result result = server_.Run({"revocations", "import", "-"}, cut);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("standard input has no end line"));
  EXPECT_EQ(Sent(), 3);
  // Half a line, and an end line that speaks of more.
  EXPECT_EQ(server_.Run({"revocations", "import", "-"}, cut.substr(0, cut.size() - 9)).code, 2);
  const std::string without_first = list.substr(list.find('\n') + 1);
  const Result fewer = server_.Run({"revocations", "import", "-"}, without_first);
  EXPECT_EQ(fewer.code, 2);
  EXPECT_THAT(fewer.err, HasSubstr("standard input:3: says that there are 3 revocations before it, "
                                   "but there are 2"));
  EXPECT_EQ(Sent(), 3) << "nothing more";
}

TEST_F(RevocationListsTest, WhatIsNoListIsRefusedAndNotShown) {
  for (const std::string& text :
       {std::string("eyJhbGciOiJIUzI1NiJ9.e30.abc\n"), std::string("{\"id\":\"1\"} {}\n"),
        std::string("[]\n"), std::string("\0\0", 2), std::string(70'000, 'a'),
        std::string("{\"unknown\":1}\n"), std::string("{}\n")}) {
    const Result result = server_.Run({"revocations", "import", "-"}, text);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, AllOf(HasSubstr("standard input:1: "), Not(HasSubstr("eyJ"))));
  }
  EXPECT_THAT(batches_, IsEmpty());
  EXPECT_EQ(server_.Run({"revocations", "import", Path("none")}).code, 2);
  EXPECT_EQ(server_.Run({"revocations", "import", folder_}).code, 2);
}

TEST_F(RevocationListsTest, BackupTellsWhereItIs) {
  v1::BackupRevocationsRequest got;
  server_.backup = [&got](const v1::BackupRevocationsRequest& request,
                          v1::BackupRevocationsResponse& reply) {
    got = request;
    reply.set_path("/b/x.db");
    reply.set_bytes(4096);
    reply.set_revision(7);
    reply.set_store_id("e");
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"revocations", "backup", "--name", "x.db"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(got.name(), "x.db");
  EXPECT_EQ(result.out,
            "backed up\n  file      /b/x.db\n  bytes     4096\n  revision  7\n  store     e\n");
  server_.backup = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "/b/x.db is there already");
  };
  const Result again = server_.Run({"revocations", "backup", "--name", "x.db"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("/b/x.db is there already"));
}

}  // namespace
}  // namespace gatehouse::cli
