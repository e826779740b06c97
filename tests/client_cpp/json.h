#pragma once

#include <google/protobuf/struct.pb.h>

#include <string>

namespace gatehouse::client {

using Json = google::protobuf::Value;

Json ParseJson(const std::string& text);
std::string TextOf(const Json& value);
// A member, or an empty value.
const Json& Get(const Json& value, const std::string& name);
bool Has(const Json& value, const std::string& name);
// tests/clients/cases.json
const Json& Cases();

}  // namespace gatehouse::client
