#include "tests/client_cpp/json.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace gatehouse::client {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Json ParseJson(const std::string& text) {
  Json value;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &value);
  if (!status.ok()) ADD_FAILURE() << status.ToString() << " in " << text.substr(0, 500);
  return value;
}

std::string TextOf(const Json& value) {
  std::string text;
  (void)google::protobuf::util::MessageToJsonString(value, &text);
  return text;
}

const Json& Get(const Json& value, const std::string& name) {
  static const Json none;
  const auto& fields = value.struct_value().fields();
  const auto place = fields.find(name);
  return place == fields.end() ? none : place->second;
}

bool Has(const Json& value, const std::string& name) {
  return value.struct_value().fields().count(name) == 1;
}

const Json& Cases() {
  static const Json cases =
      ParseJson(Read(std::string(GATEHOUSE_SOURCE) + "/tests/clients/cases.json"));
  return cases;
}

}  // namespace gatehouse::client
