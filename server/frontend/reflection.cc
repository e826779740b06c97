#include "server/frontend/reflection.h"

#include <grpcpp/support/status.h>

#include "absl/container/flat_hash_set.h"
#include "google/protobuf/descriptor.pb.h"

namespace gatehouse::frontend {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;

void FillError(grpc::StatusCode code, const char* message, Reflection::Response& response) {
  response.mutable_error_response()->set_error_code(code);
  response.mutable_error_response()->set_error_message(message);
}

}  // namespace

Reflection::Reflection(const std::vector<const FileDescriptor*>& served) {
  for (const FileDescriptor* file : served) {
    Add(*file);
    for (int i = 0; i < file->service_count(); ++i) {
      services_.push_back(file->service(i)->full_name());
    }
  }
}

const FileDescriptor* Reflection::Add(const FileDescriptor& file) {
  if (const FileDescriptor* known = pool_.FindFileByName(file.name())) return known;
  for (int i = 0; i < file.dependency_count(); ++i) Add(*file.dependency(i));
  FileDescriptorProto proto;
  file.CopyTo(&proto);
  const FileDescriptor* copy = pool_.BuildFile(proto);
  encoded_.emplace(copy, proto.SerializeAsString());
  return copy;
}

Reflection::Response Reflection::Answer(const Request& request) const {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      FillFiles(pool_.FindFileByName(request.file_by_filename()), response);
      break;
    case Request::kFileContainingSymbol:
      FillFiles(pool_.FindFileContainingSymbol(request.file_containing_symbol()), response);
      break;
    case Request::kFileContainingExtension:
      FillFiles(FileOfExtension(request), response);
      break;
    case Request::kAllExtensionNumbersOfType:
      FillExtensionNumbers(request.all_extension_numbers_of_type(), response);
      break;
    case Request::kListServices:
      for (const std::string& name : services_) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      FillError(grpc::StatusCode::UNIMPLEMENTED, "no request of a known kind", response);
      break;
  }
  return response;
}

void Reflection::FillFiles(const FileDescriptor* file, Response& response) const {
  if (file == nullptr) {
    return FillError(grpc::StatusCode::NOT_FOUND, "no served file has this", response);
  }
  std::vector<const FileDescriptor*> files = {file};
  absl::flat_hash_set<const FileDescriptor*> seen = {file};
  for (size_t next = 0; next < files.size(); ++next) {
    const FileDescriptor& importer = *files[next];
    response.mutable_file_descriptor_response()->add_file_descriptor_proto(encoded_.at(&importer));
    for (int i = 0; i < importer.dependency_count(); ++i) {
      if (seen.insert(importer.dependency(i)).second) files.push_back(importer.dependency(i));
    }
  }
}

const FileDescriptor* Reflection::FileOfExtension(const Request& request) const {
  const auto& wanted = request.file_containing_extension();
  const Descriptor* type = pool_.FindMessageTypeByName(wanted.containing_type());
  if (type == nullptr) return nullptr;
  const FieldDescriptor* extension = pool_.FindExtensionByNumber(type, wanted.extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

void Reflection::FillExtensionNumbers(const std::string& type, Response& response) const {
  const Descriptor* descriptor = pool_.FindMessageTypeByName(type);
  if (descriptor == nullptr) {
    return FillError(grpc::StatusCode::NOT_FOUND, "no served file has this", response);
  }
  std::vector<const FieldDescriptor*> extensions;
  pool_.FindAllExtensions(descriptor, &extensions);
  auto& numbers = *response.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

}  // namespace gatehouse::frontend
