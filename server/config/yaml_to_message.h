#pragma once

#include <google/protobuf/message.h>

#include "server/config/findings.h"
#include "server/config/yaml_tree.h"

namespace gatehouse::config {

// Takes `root` over into `message`, strictly: a mapping is a message with the
// message's own field names, a list is a repeated field (one value too, where that says
// one_or_list), google.protobuf.Duration is text such as "90s" or "1h30m", neither negative nor
// infinite. Refused, all of them and each with line and path: an unknown field (with the one that
// was meant, if one is near), a field given twice, two members of one oneof, null, a list or
// mapping where one value belongs and the other way round, a boolean other than
// true and false, a number out of range, text with control characters. No value is
// shown that may be a secret. Where each field stands goes to `findings`; list
// members keep their places, so that `issuers[1]` is issuers(1).
void YamlToMessage(const YamlNode& root, google::protobuf::Message& message, Findings& findings);

}  // namespace gatehouse::config
