#include "server/config/yaml_to_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/base/text.h"

namespace gatehouse::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = YamlNode::Kind;

// What google.protobuf.Duration can hold, about 10,000 years.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == google::protobuf::Duration::descriptor()->full_name();
}

bool IsMapping(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
}

absl::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "one value";
    case Kind::kList:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
  }
  return "";
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", log::Escape(text, 64), "\"");
}

// Whether "role: editor" stands where "role:editor" was meant.
bool IsTornRule(const std::string& key, const YamlNode& value, const Descriptor& type) {
  return type.full_name() == v1::Rule::descriptor()->full_name() && value.kind == Kind::kScalar &&
         (key == "role" || key == "scope" || key == "relation");
}

std::string UnknownField(const std::string& key, const YamlNode& value, const Descriptor& type) {
  if (IsTornRule(key, value, type)) {
    return absl::StrCat("unknown field; did you mean ", Quoted(absl::StrCat(key, ":", value.text)),
                        ", without a blank?");
  }
  std::vector<std::string> names(static_cast<size_t>(type.field_count()));
  for (size_t i = 0; i < names.size(); ++i) names[i] = type.field(static_cast<int>(i))->name();
  const std::string near = Nearest(key, names);
  if (!near.empty()) return absl::StrCat("unknown field; did you mean ", Quoted(near), "?");
  return absl::StrCat("unknown field; known here: ", absl::StrJoin(names, ", "));
}

class Converter {
 public:
  explicit Converter(Findings& findings) : findings_(findings) {}

  void Mapping(const YamlNode& node, const std::string& path, Message& message) {
    const std::string& short_form = message.GetDescriptor()->options().GetExtension(v1::short_form);
    if (!short_form.empty() && node.kind == Kind::kScalar) {
      One(node, *message.GetDescriptor()->FindFieldByName(short_form), path, message);
      return;
    }
    if (!Expect(node, Kind::kMapping, path)) return;
    std::set<std::string> seen;
    for (size_t i = 0; i < node.keys.size(); ++i) {
      Entry(node.keys[i], node.values[i], path, seen, message);
    }
  }

 private:
  void Entry(const YamlNode& key, const YamlNode& value, const std::string& path,
             std::set<std::string>& seen, Message& message) {
    if (key.kind != Kind::kScalar) {
      findings_.Malformed(key.line, path,
                          absl::StrCat("a field's name must be one word, not ", NameOf(key.kind)));
      return;
    }
    const std::string inner =
        absl::StrCat(path, path.empty() ? "" : ".", log::Escape(key.text, 64));
    if (key.plain && key.text == "<<") {
      findings_.Malformed(key.line, inner, "YAML merge keys are not supported");
      return;
    }
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(key.text);
    if (field == nullptr) {
      findings_.Malformed(key.line, inner, UnknownField(key.text, value, *message.GetDescriptor()));
      return;
    }
    if (!seen.insert(key.text).second) {
      findings_.Malformed(key.line, inner,
                          absl::StrCat("is given twice; first on line ", findings_.LineOf(inner)));
      return;
    }
    findings_.Place(inner, key.line);
    if (OneofIsFree(key, *field, path, message)) Field(value, *field, inner, message);
  }

  // proto3's reflection would let the last one win.
  bool OneofIsFree(const YamlNode& key, const FieldDescriptor& field, const std::string& path,
                   const Message& message) {
    if (field.real_containing_oneof() == nullptr) return true;
    const FieldDescriptor* before =
        message.GetReflection()->GetOneofFieldDescriptor(message, field.real_containing_oneof());
    if (before == nullptr) return true;
    findings_.Malformed(key.line, absl::StrCat(path, path.empty() ? "" : ".", field.name()),
                        absl::StrCat("cannot stand beside ", before->name(), "; give one of them"));
    return false;
  }

  // A mapping whose keys are the user's own names.
  void Names(const YamlNode& node, const FieldDescriptor& field, const std::string& path,
             Message& message) {
    if (!Expect(node, Kind::kMapping, path)) return;
    // A path shows a long name cut.
    std::set<std::string> seen;
    for (size_t i = 0; i < node.keys.size(); ++i) {
      const YamlNode& key = node.keys[i];
      const std::string inner = absl::StrCat(path, ".", log::Escape(key.text, 64));
      if (key.kind != Kind::kScalar || (key.plain && key.text == "<<")) {
        findings_.Malformed(key.line, path, "a name must be one word, and no YAML merge key");
      } else if (!seen.insert(key.text).second) {
        findings_.Malformed(
            key.line, inner,
            absl::StrCat("is given twice; first on line ", findings_.LineOf(inner)));
      } else {
        findings_.Place(inner, key.line);
        CheckText(key, inner);
        Message& entry = *message.GetReflection()->AddMessage(&message, &field);
        const Descriptor& type = *field.message_type();
        entry.GetReflection()->SetString(&entry, type.map_key(), key.text);
        One(node.values[i], *type.map_value(), inner, entry);
      }
    }
  }

  void Field(const YamlNode& value, const FieldDescriptor& field, const std::string& path,
             Message& message) {
    if (field.is_map()) return Names(value, field, path, message);
    if (!field.is_repeated()) {
      One(value, field, path, message);
      return;
    }
    if (value.kind == Kind::kScalar && field.options().GetExtension(v1::one_or_list)) {
      One(value, field, path, message);
      return;
    }
    if (!Expect(value, Kind::kList, path)) return;
    for (size_t i = 0; i < value.values.size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      // Of an empty member the parser tells the line of what comes next.
      const bool is_empty = value.values[i].kind == Kind::kNull;
      findings_.Place(inner, is_empty ? value.line : value.values[i].line);
      One(value.values[i], field, inner, message);
    }
  }

  void One(const YamlNode& value, const FieldDescriptor& field, const std::string& path,
           Message& message) {
    const Reflection& reflection = *message.GetReflection();
    if (IsMapping(field)) {
      Mapping(value, path,
              field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                  : *reflection.MutableMessage(&message, &field));
      return;
    }
    if (IsDuration(field)) {
      Duration(value, path,
               static_cast<google::protobuf::Duration&>(
                   field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                       : *reflection.MutableMessage(&message, &field)));
      return;
    }
    const bool is_scalar = Expect(value, Kind::kScalar, path);
    const std::string text = is_scalar ? value.text : "";
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (is_scalar) CheckText(value, path);
        field.is_repeated() ? reflection.AddString(&message, &field, text)
                            : reflection.SetString(&message, &field, text);
        return;
      case FieldDescriptor::CPPTYPE_BOOL: {
        const bool parsed = is_scalar && Bool(value, path);
        field.is_repeated() ? reflection.AddBool(&message, &field, parsed)
                            : reflection.SetBool(&message, &field, parsed);
        return;
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto parsed = is_scalar ? Integer<int32_t>(value, path) : 0;
        field.is_repeated() ? reflection.AddInt32(&message, &field, parsed)
                            : reflection.SetInt32(&message, &field, parsed);
        return;
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        const auto parsed = is_scalar ? Integer<uint32_t>(value, path) : 0;
        field.is_repeated() ? reflection.AddUInt32(&message, &field, parsed)
                            : reflection.SetUInt32(&message, &field, parsed);
        return;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const auto parsed = is_scalar ? Integer<int64_t>(value, path) : 0;
        field.is_repeated() ? reflection.AddInt64(&message, &field, parsed)
                            : reflection.SetInt64(&message, &field, parsed);
        return;
      }
      default:
        if (is_scalar) findings_.Malformed(value.line, path, "cannot be set in a file");
        return;
    }
  }

  bool Expect(const YamlNode& node, Kind kind, const std::string& path) {
    if (node.kind == kind) return true;
    findings_.Malformed(node.kind == Kind::kNull ? findings_.LineOf(path) : node.line, path,
                        node.kind == Kind::kNull
                            ? absl::StrCat("is empty; must be ", NameOf(kind), ", or left out")
                            : absl::StrCat("must be ", NameOf(kind), ", not ", NameOf(node.kind)));
    return false;
  }

  void CheckText(const YamlNode& value, const std::string& path) {
    if (HasControlCharacter(value.text)) {
      findings_.Malformed(value.line, path, "holds a control character, perhaps a line end");
    }
  }

  bool Bool(const YamlNode& value, const std::string& path) {
    if (value.plain && value.text == "true") return true;
    if (!value.plain || value.text != "false") {
      findings_.Malformed(value.line, path,
                          absl::StrCat("must be true or false, not ", Quoted(value.text)));
    }
    return false;
  }

  template <typename T>
  T Integer(const YamlNode& value, const std::string& path) {
    T parsed = 0;
    const bool looks_right = value.text.find_first_not_of("-0123456789") == std::string::npos;
    if (!value.plain || !looks_right || !absl::SimpleAtoi(value.text, &parsed)) {
      findings_.Malformed(
          value.line, path,
          absl::StrCat("must be a whole number from ", std::numeric_limits<T>::min(), " to ",
                       std::numeric_limits<T>::max(), ", not ", Quoted(value.text)));
      return 0;
    }
    return parsed;
  }

  void Duration(const YamlNode& value, const std::string& path,
                google::protobuf::Duration& duration) {
    if (!Expect(value, Kind::kScalar, path)) return;
    absl::Duration parsed;
    if (!absl::ParseDuration(value.text, &parsed)) {
      findings_.Malformed(value.line, path,
                          absl::StrCat("must be a time such as \"90s\", \"15m\" or \"1h30m\", not ",
                                       Quoted(value.text)));
      return;
    }
    if (parsed < absl::ZeroDuration() || parsed > absl::Seconds(kMaxDurationSeconds)) {
      findings_.Malformed(
          value.line, path,
          absl::StrCat("must be neither negative nor infinite, but is ", Quoted(value.text)));
      return;
    }
    duration.set_seconds(absl::ToInt64Seconds(parsed));
    duration.set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(parsed - absl::Seconds(duration.seconds()))));
  }

  Findings& findings_;
};

}  // namespace

void YamlToMessage(const YamlNode& root, Message& message, Findings& findings) {
  if (root.kind == Kind::kNull) {
    findings.Malformed(1, "", "the file is empty");
    return;
  }
  Converter(findings).Mapping(root, "", message);
}

}  // namespace gatehouse::config
