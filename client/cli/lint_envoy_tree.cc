#include "client/cli/lint_envoy_tree.h"

#include <simdjson.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 500'000;  // of a text, with what aliases add

std::string CamelCase(absl::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
    upper = false;
  }
  return out;
}

// Ends the parse at once. Caught in ParseLintYaml.
struct Refused : std::exception {
  Refused(int at, std::string why) : line(at), what_is_wrong(std::move(why)) {}
  int line;
  std::string what_is_wrong;
};

size_t CountNodes(const LintNode& node) {
  size_t count = 1;
  for (const LintNode& value : node.values) count += CountNodes(value);
  return count;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(absl::string_view yaml, int file, int first_line)
      : yaml_(yaml), file_(file), first_line_(first_line) {}

  std::vector<LintNode> TakeDocuments() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override { anchors_.clear(); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add({At(mark, LintNode::Kind::kNull), anchor, /*ignored=*/false});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Refused(LineOf(mark), "this YAML alias stands inside of what it names");
    }
    Spend(found->second.size, LineOf(mark));
    Add({found->second.node, 0, /*ignored=*/false});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Open open{At(mark, LintNode::Kind::kScalar), anchor, Ignored(mark, tag)};
    open.node.text = value;
    open.node.plain = tag == "?";
    const size_t at = mark.pos < 0 ? yaml_.size() : static_cast<size_t>(mark.pos);
    open.node.block = !open.node.plain && at < yaml_.size() && (yaml_[at] == '|');
    // A bare word that stands for null.
    if (open.node.plain && (value == "~" || value == "null")) {
      open.node.kind = LintNode::Kind::kNull;
    }
    Add(std::move(open));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Push({At(mark, LintNode::Kind::kList), anchor, Ignored(mark, tag)});
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Push({At(mark, LintNode::Kind::kMapping), anchor, Ignored(mark, tag)});
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Key {
    std::string name;
    int line = 1;
    bool plain = false;
    bool ignored = false;
  };
  struct Open {
    LintNode node;
    YAML::anchor_t anchor = 0;
    bool ignored = false;
    absl::optional<Key> key = absl::nullopt;  // whose value comes next
    std::set<std::string> names = {};
    std::vector<LintNode> merged = {};  // from `<<`
  };
  struct Anchored {
    LintNode node;
    size_t size = 0;
  };

  int LineOf(const YAML::Mark& mark) const { return first_line_ + (mark.line < 0 ? 0 : mark.line); }

  LintNode At(const YAML::Mark& mark, LintNode::Kind kind) {
    Spend(1, LineOf(mark));
    LintNode node;
    node.kind = kind;
    node.file = file_;
    node.line = LineOf(mark);
    return node;
  }

  void Spend(size_t nodes, int line) {
    if (nodes > left_) throw Refused(line, "this YAML grows too large, mostly by its aliases");
    left_ -= nodes;
  }

  // Envoy drops the fields whose names are tagged `!ignore`.
  bool Ignored(const YAML::Mark& mark, const std::string& tag) const {
    if (tag == "!ignore") return true;
    if (tag.empty() || tag == "?" || tag == "!" ||
        absl::string_view(tag).substr(0, 18) == "tag:yaml.org,2002:") {
      return false;
    }
    throw Refused(LineOf(mark), "this YAML tag (!name) is not known here");
  }

  void Push(Open open) {
    if (open_.size() >= kMaxDepth) {
      throw Refused(open.node.line, absl::StrCat("nested more than ", kMaxDepth, " deep"));
    }
    open_.push_back(std::move(open));
  }

  void Close() {
    Open open = std::move(open_.back());
    open_.pop_back();
    // What is written out goes before what is merged in.
    for (const LintNode& source : open.merged) {
      for (size_t i = 0; i < source.keys.size(); ++i) {
        if (!open.names.insert(CamelCase(source.keys[i])).second) continue;
        open.node.keys.push_back(source.keys[i]);
        open.node.values.push_back(source.values[i]);
      }
    }
    Add(std::move(open));
  }

  void Add(Open open) {
    if (open.anchor != 0) {
      Anchored anchored{open.node, CountNodes(open.node)};
      Spend(anchored.size, open.node.line);
      anchors_[open.anchor] = std::move(anchored);
    }
    if (open_.empty()) {
      documents_.push_back(std::move(open.node));
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind != LintNode::Kind::kMapping) {
      parent.node.values.push_back(std::move(open.node));
    } else if (!parent.key.has_value()) {
      if (open.node.kind != LintNode::Kind::kScalar && open.node.kind != LintNode::Kind::kNull) {
        throw Refused(open.node.line, "a field's name must be a text");
      }
      parent.key = Key{open.node.text, open.node.line, open.node.plain, open.ignored};
    } else {
      AddField(parent, std::move(open.node));
    }
  }

  static void AddField(Open& parent, LintNode value) {
    const Key key = *std::move(parent.key);
    parent.key = absl::nullopt;
    if (key.ignored) return;
    if (key.plain && key.name == "<<") {
      Merge(parent, key, std::move(value));
      return;
    }
    if (!parent.names.insert(CamelCase(key.name)).second) {
      throw Refused(key.line, absl::StrCat("the field ", key.name, " is given twice"));
    }
    value.line = key.line;
    parent.node.keys.push_back(key.name);
    parent.node.values.push_back(std::move(value));
  }

  static void Merge(Open& parent, const Key& key, LintNode value) {
    std::vector<LintNode> sources;
    if (value.kind == LintNode::Kind::kList) {
      sources = std::move(value.values);
    } else {
      sources.push_back(std::move(value));
    }
    for (LintNode& source : sources) {
      if (source.kind != LintNode::Kind::kMapping) {
        throw Refused(key.line, "only mappings can be merged with <<");
      }
      parent.merged.push_back(std::move(source));
    }
  }

  const absl::string_view yaml_;
  const int file_;
  const int first_line_;
  size_t left_ = kMaxNodes;
  std::vector<Open> open_;  // the collections around the next event
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::vector<LintNode> documents_;
};

// What is wrong with the text's bytes; empty if nothing. yaml-cpp takes byte 4 for the
// end of the file, so that what stands behind one would be ignored in silence.
void CheckBytes(absl::string_view yaml, int first_line) {
  if (yaml.size() > kMaxLintBytes) {
    throw Refused(first_line, absl::StrCat("is larger than ", kMaxLintBytes, " bytes"));
  }
  int line = first_line;
  for (size_t start = 0; start <= yaml.size(); ++line) {
    const size_t end = std::min(yaml.find('\n', start), yaml.size());
    const absl::string_view text = yaml.substr(start, end - start);
    if (!simdjson::validate_utf8(text.data(), text.size())) {
      throw Refused(line, "this line is not UTF-8");
    }
    if (std::any_of(text.begin(), text.end(), [](char c) {
          const auto byte = static_cast<unsigned char>(c);
          return (byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F;
        })) {
      throw Refused(line, "this line holds a control character");
    }
    start = end + 1;
  }
}

std::vector<LintNode> ParseDocuments(absl::string_view yaml, int file, int first_line) {
  CheckBytes(yaml, first_line);
  if (absl::StartsWith(yaml, "\xEF\xBB\xBF")) yaml.remove_prefix(3);  // else marks are off by it
  // At the bare end of a text, yaml-cpp takes a quote that was never closed for
  // closed; at a document's end it does not.
  const std::string text = absl::StrCat(yaml, "\n...\n");
  std::istringstream in(text);
  YAML::Parser parser(in);
  TreeBuilder builder(text, file, first_line);
  while (parser.HandleNextDocument(builder)) {
  }
  return builder.TakeDocuments();
}

}  // namespace

absl::StatusOr<std::vector<LintNode>> ParseLintYaml(absl::string_view yaml, int file,
                                                    const std::string& name, int first_line) {
  const auto refuse = [&](int line, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", line, ": ", what));
  };
  try {
    return ParseDocuments(yaml, file, first_line);
  } catch (const Refused& refused) {
    return refuse(refused.line, refused.what_is_wrong);
  } catch (const YAML::Exception& e) {
    return refuse(first_line + std::max(e.mark.line, 0), absl::StrCat("YAML: ", e.msg));
  } catch (const std::exception& e) {
    return refuse(first_line, absl::StrCat("YAML: ", e.what()));
  }
}

const LintNode* Get(const LintNode* node, absl::string_view snake_name) {
  if (node == nullptr || node->kind != LintNode::Kind::kMapping) return nullptr;
  const std::string camel_name = CamelCase(snake_name);
  for (size_t i = 0; i < node->keys.size(); ++i) {
    if (node->keys[i] != snake_name && node->keys[i] != camel_name) continue;
    return node->values[i].kind == LintNode::Kind::kNull ? nullptr : &node->values[i];
  }
  return nullptr;
}

const LintNode* Get(const LintNode* node, std::initializer_list<absl::string_view> path) {
  for (const absl::string_view name : path) node = Get(node, name);
  return node;
}

absl::Span<const LintNode> Items(const LintNode* node) {
  if (node == nullptr) return {};
  if (node->kind == LintNode::Kind::kList) return node->values;
  return absl::MakeConstSpan(node, 1);
}

absl::string_view TextOf(const LintNode* node) {
  if (node == nullptr || node->kind != LintNode::Kind::kScalar) return "";
  return node->text;
}

bool IsTrue(const LintNode* node) {
  const std::string text = absl::AsciiStrToLower(TextOf(node));
  return text == "true" || text == "yes" || text == "on" || text == "y";
}

bool IsFalse(const LintNode* node) {
  const std::string text = absl::AsciiStrToLower(TextOf(node));
  return text == "false" || text == "no" || text == "off" || text == "n";
}

bool IsEnum(const LintNode* node, absl::string_view name, int number) {
  return absl::EqualsIgnoreCase(TextOf(node), name) || TextOf(node) == absl::StrCat(number);
}

absl::optional<double> NumberOf(const LintNode* node) {
  double number = 0;
  if (!absl::SimpleAtod(TextOf(node), &number)) return absl::nullopt;
  return number;
}

absl::optional<absl::Duration> DurationOf(const LintNode* node) {
  if (node != nullptr && node->kind == LintNode::Kind::kMapping) {
    return absl::Seconds(NumberOf(Get(node, "seconds")).value_or(0)) +
           absl::Nanoseconds(NumberOf(Get(node, "nanos")).value_or(0));
  }
  absl::Duration duration;
  if (!absl::ParseDuration(TextOf(node), &duration)) return absl::nullopt;
  return duration;
}

TypedConfig TypedOf(const LintNode* any) {
  const auto name = [](absl::string_view url) {
    const size_t slash = url.rfind('/');
    return slash == absl::string_view::npos ? url : url.substr(slash + 1);
  };
  TypedConfig typed{name(TextOf(Get(any, "@type"))), any};
  if (typed.type == "xds.type.v3.TypedStruct" || typed.type == "udpa.type.v1.TypedStruct") {
    typed = {name(TextOf(Get(any, "type_url"))), Get(any, "value")};
  }
  return typed;
}

}  // namespace gatehouse::cli
