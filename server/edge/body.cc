#include "server/base/json_writer.h"
#include "server/edge/gate.h"

namespace gatehouse::edge {

std::string BodyOf(const Answer& answer) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Member("detail", answer.detail);
  json.Member("code", answer.code);
  json.Key("status");
  json.Int(answer.status);
  json.EndObject();
  return body;
}

}  // namespace gatehouse::edge
