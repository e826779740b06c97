#include "server/config/decision_log.h"

#include "absl/strings/str_cat.h"
#include "server/config/issuer.h"

namespace gatehouse::config {
namespace {

struct Range {
  const char* field;
  uint32_t least;
  uint32_t most;
};

// The number that is given, or `otherwise` where none is: 0 may be meant.
int ReadNumber(uint32_t given, const Range& range, int otherwise, Findings& findings) {
  const std::string path = absl::StrCat("decision_log.", range.field);
  if (!findings.Given(path)) return otherwise;
  if (given < range.least || given > range.most) {
    findings.Wrong(
        path, absl::StrCat("must be from ", range.least, " to ", range.most, ", but is ", given));
    return otherwise;
  }
  return static_cast<int>(given);
}

}  // namespace

DecisionLog ReadDecisionLog(const v1::DecisionLog& in, const std::string& folder,
                            Findings& findings) {
  DecisionLog out;
  RequireText(in.path(), "decision_log.path", findings);
  out.path = Resolve(folder, in.path());
  out.place = findings.PlaceOf("decision_log.path");
  const int mib = ReadNumber(in.max_mib(), {"max_mib", 1, 10'240}, 64, findings);
  out.max_bytes = int64_t{mib} * 1024 * 1024;
  out.keep_files = ReadNumber(in.keep_files(), {"keep_files", 0, 100}, out.keep_files, findings);
  out.allowed_percent =
      ReadNumber(in.allowed_percent(), {"allowed_percent", 0, 100}, out.allowed_percent, findings);
  out.denials_per_second = ReadNumber(in.denials_per_second(), {"denials_per_second", 0, 100'000},
                                      out.denials_per_second, findings);
  out.without_facts = in.without_facts();
  return out;
}

}  // namespace gatehouse::config
