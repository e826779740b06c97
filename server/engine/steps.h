#pragma once

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/engine/trace.h"

namespace gatehouse::engine {

// Tells the steps of a token's way, if there is somebody to tell. Otherwise no text
// is made.
class Steps {
 public:
  explicit Steps(Trace* trace) : trace_(trace) {
    if (trace_ != nullptr) trace_->clear();
  }

  bool told() const { return trace_ != nullptr; }

  template <typename... Pieces>
  void Pass(absl::string_view step, const Pieces&... detail) const {
    if (told()) trace_->push_back({step, true, absl::StrCat(detail...)});
  }
  // The last step.
  template <typename... Pieces>
  void Fail(absl::string_view step, const Pieces&... detail) const {
    if (told()) trace_->push_back({step, false, absl::StrCat(detail...)});
  }

 private:
  Trace* const trace_;
};

}  // namespace gatehouse::engine
