#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/frontend/builtin_fixture.h"

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <typename Version>
class ReflectionTest : public BuiltinTest {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;
  using Stream = grpc::ClientReaderWriter<Request, Response>;

  std::unique_ptr<Stream> Open() { return stub_->ServerReflectionInfo(&context_); }

  static Response Ask(Stream& stream, const Request& request) {
    Response response;
    EXPECT_TRUE(stream.Write(request));
    EXPECT_TRUE(stream.Read(&response));
    EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
    return response;
  }

  static Response AskForSymbol(Stream& stream, const std::string& name) {
    Request request;
    request.set_file_containing_symbol(name);
    return Ask(stream, request);
  }

  static std::vector<std::string> FileNames(const Response& response) {
    std::vector<std::string> names;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  Context context_;
  std::unique_ptr<typename Version::Service::Stub> stub_ = Version::Service::NewStub(channel_);
};

using Versions = ::testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, ListsTheServices) {
  auto stream = this->Open();
  typename TypeParam::Request request;
  request.set_host("here");
  request.set_list_services("");
  const auto response = this->Ask(*stream, request);
  EXPECT_EQ(response.valid_host(), "here");
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre("gatehouse.v1.AuthorizationService", "grpc.health.v1.Health",
                                 "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection"));
  for (const std::string& name : names) {
    EXPECT_TRUE(this->AskForSymbol(*stream, name).has_file_descriptor_response()) << name;
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

TYPED_TEST(ReflectionTest, AFileComesWithAllItImportsOnce) {
  auto stream = this->Open();
  const auto response = this->AskForSymbol(*stream, "gatehouse.v1.AuthorizationService.Verify");
  const std::vector<std::string> names = this->FileNames(response);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names[0], "gatehouse/v1/authorization_service.proto");
  EXPECT_THAT(names, IsSupersetOf({"gatehouse/v1/decision.proto", "gatehouse/v1/revocation.proto",
                                   "google/protobuf/timestamp.proto"}));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  std::set<std::string> imported;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    imported.insert(file.dependency().begin(), file.dependency().end());
  }
  EXPECT_THAT(names, IsSupersetOf(imported));
}

TYPED_TEST(ReflectionTest, SymbolsAreFoundWhateverTheyAre) {
  auto stream = this->Open();
  for (const char* name : {"gatehouse.v1.Decision", "gatehouse.v1.Decision.effect",
                           "gatehouse.v1.Code", "gatehouse.v1.CODE_OK"}) {
    EXPECT_EQ(this->FileNames(this->AskForSymbol(*stream, name)).at(0),
              "gatehouse/v1/decision.proto");
  }
  typename TypeParam::Request request;
  request.set_file_by_filename("gatehouse/v1/decision.proto");
  EXPECT_EQ(this->FileNames(this->Ask(*stream, request)).at(0), "gatehouse/v1/decision.proto");
}

TYPED_TEST(ReflectionTest, WhatIsNotServedIsNotFoundAndTheStreamGoesOn) {
  auto stream = this->Open();
  std::vector<typename TypeParam::Request> requests(7);
  requests[0].set_file_containing_symbol("gatehouse.v1.Nothing");
  requests[1].set_file_containing_symbol("");
  requests[2].set_file_by_filename("gatehouse/v1/nothing.proto");
  requests[3].set_file_by_filename("gatehouse/config/v1/config.proto");
  requests[4].set_all_extension_numbers_of_type("gatehouse.v1.Nothing");
  requests[5].mutable_file_containing_extension()->set_containing_type("gatehouse.v1.Nothing");
  requests[6].mutable_file_containing_extension()->set_containing_type("gatehouse.v1.Decision");
  for (const auto& request : requests) {
    EXPECT_EQ(this->Ask(*stream, request).error_response().error_code(),
              grpc::StatusCode::NOT_FOUND)
        << request.DebugString();
  }
  EXPECT_EQ(this->Ask(*stream, {}).error_response().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  typename TypeParam::Request request;
  request.set_all_extension_numbers_of_type("gatehouse.v1.Decision");
  const auto response = this->Ask(*stream, request);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "gatehouse.v1.Decision");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

TYPED_TEST(ReflectionTest, AnOpenStreamDoesNotHoldTheShutdown) {
  auto stream = this->Open();
  this->AskForSymbol(*stream, "gatehouse.v1.Decision");
  this->Stop();
  typename TypeParam::Response response;
  EXPECT_FALSE(stream->Read(&response));
  // Said, not cut off.
  EXPECT_EQ(stream->Finish().error_message(), "the server is shutting down");
}

TYPED_TEST(ReflectionTest, AClientThatDoesNotReadDoesNotHoldTheShutdown) {
  auto stream = this->Open();
  typename TypeParam::Request request;
  // The answer repeats it, and is more than the client's window takes in.
  request.set_file_containing_symbol(std::string(900 * 1024, 'a'));
  ASSERT_TRUE(stream->Write(request));
  // Comes with the answer's beginning: the server is writing.
  stream->WaitForInitialMetadata();
  this->Stop();
  EXPECT_FALSE(stream->Finish().ok());
}

TYPED_TEST(ReflectionTest, AStreamThatIsCancelledLeavesNothingBehind) {
  auto stream = this->Open();
  this->AskForSymbol(*stream, "gatehouse.v1.Decision");
  this->context_.TryCancel();
  this->WaitUntilIdle();
}

}  // namespace
}  // namespace gatehouse::frontend
