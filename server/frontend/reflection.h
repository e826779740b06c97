#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/descriptor.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace gatehouse::frontend {

// What gRPC's reflection says: the served files, what they import, and no others.
// Thread-safe. v1 and v1alpha are the same bytes, so one type does for both.
class Reflection {
 public:
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

  // `served`: the files whose services the server answers.
  explicit Reflection(const std::vector<const google::protobuf::FileDescriptor*>& served);

  Response Answer(const Request& request) const;

 private:
  using File = google::protobuf::FileDescriptor;

  const File* Add(const File& file);
  void FillFiles(const File* file, Response& response) const;
  const File* FileOfExtension(const Request& request) const;
  void FillExtensionNumbers(const std::string& type, Response& response) const;

  // Not the generated pool: that remembers every unknown name it is asked for.
  google::protobuf::DescriptorPool pool_;
  absl::flat_hash_map<const File*, std::string> encoded_;
  std::vector<std::string> services_;
};

}  // namespace gatehouse::frontend
