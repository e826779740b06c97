#include "server/config/yaml_tree.h"

#include <simdjson.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace gatehouse::config {
namespace {

constexpr size_t kMaxDepth = 32;

int LineOf(const YAML::Mark& mark) { return mark.line < 0 ? 1 : mark.line + 1; }

// Ends the parse at once. Caught in ParseYaml.
struct Refused : std::exception {
  Refused(int at, std::string why) : line(at), what_is_wrong(std::move(why)) {}
  int line;
  std::string what_is_wrong;
};

// Builds the tree from the parser's events, which expand no alias, so that the
// tree is never larger than the text.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw Refused(LineOf(mark), "another YAML document begins here; one is all there may be");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckPlain(mark, "", anchor);
    Add(At(mark, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refused(LineOf(mark), "YAML aliases (*name) are not supported; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckPlain(mark, tag, anchor);
    YamlNode node = At(mark, YamlNode::Kind::kScalar);
    node.text = value;
    node.plain = tag == "?";
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    CheckPlain(mark, tag, anchor);
    Open(At(mark, YamlNode::Kind::kList));
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    CheckPlain(mark, tag, anchor);
    Open(At(mark, YamlNode::Kind::kMapping));
  }
  void OnMapEnd() override { Close(); }

 private:
  static YamlNode At(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = LineOf(mark);
    return node;
  }

  static void CheckPlain(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refused(LineOf(mark), "YAML anchors (&name) are not supported");
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused(LineOf(mark), "YAML tags (!name) are not supported");
    }
  }

  void Open(YamlNode node) {
    if (open_.size() >= kMaxDepth) {
      throw Refused(node.line, absl::StrCat("nested more than ", kMaxDepth, " deep"));
    }
    open_.push_back(std::move(node));
  }

  void Close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    Add(std::move(node));
  }

  void Add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = open_.back();
    const bool is_key =
        parent.kind == YamlNode::Kind::kMapping && parent.keys.size() == parent.values.size();
    (is_key ? parent.keys : parent.values).push_back(std::move(node));
  }

  int documents_ = 0;
  std::vector<YamlNode> open_;  // the collections around the next event
  YamlNode root_;
};

// What is wrong with a line of the file before any YAML is read; empty if nothing.
// yaml-cpp takes byte 4 for the end of the file, so that what stands behind one
// would be ignored in silence.
std::string WrongBytes(absl::string_view line) {
  if (!simdjson::validate_utf8(line.data(), line.size())) return "is not UTF-8";
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F;
  };
  if (std::any_of(line.begin(), line.end(), is_control)) return "holds a control character";
  return "";
}

bool CheckBytes(absl::string_view yaml, Findings& findings) {
  int number = 1;
  for (size_t start = 0; start <= yaml.size(); ++number) {
    const size_t end = std::min(yaml.find('\n', start), yaml.size());
    const std::string wrong = WrongBytes(yaml.substr(start, end - start));
    if (!wrong.empty()) {
      findings.Malformed(number, "", absl::StrCat("this line ", wrong));
      return false;
    }
    start = end + 1;
  }
  return true;
}

}  // namespace

std::optional<YamlNode> ParseYaml(absl::string_view yaml, Findings& findings) {
  if (yaml.size() > kMaxYamlBytes) {
    findings.Malformed(1, "", absl::StrCat("is larger than ", kMaxYamlBytes, " bytes"));
    return std::nullopt;
  }
  if (!CheckBytes(yaml, findings)) return std::nullopt;
  try {
    // At the bare end of a text, yaml-cpp takes a quote that was never closed for
    // closed; at a document's end it does not.
    std::istringstream in(absl::StrCat(yaml, "\n...\n"));
    YAML::Parser parser(in);
    TreeBuilder builder;
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
    return builder.TakeRoot();
  } catch (const Refused& refused) {
    findings.Malformed(refused.line, "", refused.what_is_wrong);
  } catch (const YAML::Exception& e) {
    const bool open_quote =
        e.msg == YAML::ErrorMsg::DOC_IN_SCALAR || e.msg == YAML::ErrorMsg::EOF_IN_SCALAR;
    const bool badly_indented = e.msg == YAML::ErrorMsg::END_OF_MAP ||
                                e.msg == YAML::ErrorMsg::END_OF_SEQ ||
                                e.msg == YAML::ErrorMsg::MAP_VALUE;
    findings.Malformed(
        LineOf(e.mark), "",
        absl::StrCat("YAML: ", open_quote ? "a quote is opened before and never closed" : e.msg,
                     badly_indented ? "; mind the indentation here and above, in which YAML takes "
                                      "no tabs"
                                    : ""));
  } catch (const std::exception& e) {
    findings.Malformed(1, "", absl::StrCat("YAML: ", e.what()));
  }
  return std::nullopt;
}

}  // namespace gatehouse::config
