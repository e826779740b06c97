#include "client/cpp/src/wire.h"

#include <algorithm>
#include <utility>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/text.h"
#include "client/cpp/src/wire_filter.h"
#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::client {
namespace {

// No issuer may allow longer tokens (16 KiB), so a longer one is as bad when it is cut.
// Whole, it could be too large a message: no decision, where the truth is a bad token.
constexpr size_t kLongestToken = size_t{20} * 1024;

// A token as it may stand in a message, which holds only UTF-8. No byte beyond ASCII is
// ever good, nor is what takes its place.
std::string Sendable(std::string_view token) {
  std::string text(token.substr(0, kLongestToken));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return text;
}

template <class Message>
void SetRequired(Message& message, const std::optional<Revision>& required) {
  message.set_with_tags(true);
  if (!required.has_value()) return;
  message.set_min_revision(required->number);
  message.set_store_id(required->store_id);
}

// Into an AuthorizeRequest or a Check.
template <class Message>
void SetCheck(Message& message, const Check& check) {
  message.set_resource(check.resource);
  message.set_owner(check.owner);
  message.set_action(check.action);
  message.set_tenant(check.tenant);
  for (const auto& [name, subjects] : check.relations) {
    auto& list = *(*message.mutable_relations())[name].mutable_subjects();
    list.Assign(subjects.begin(), subjects.end());
  }
  for (const auto& [name, value] : check.attributes) (*message.mutable_attributes())[name] = value;
}

std::optional<WallTime> TimeOf(bool has, const google::protobuf::Timestamp& time) {
  if (!has) return std::nullopt;
  return WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos())));
}

std::shared_ptr<const Principal> PrincipalOf(const v1::Principal& from) {
  auto who = std::make_shared<Principal>();
  who->issuer = from.issuer();
  who->subject = from.subject();
  who->tenant = from.tenant();
  who->roles.assign(from.roles().begin(), from.roles().end());
  who->scopes.assign(from.scopes().begin(), from.scopes().end());
  who->session_id = from.session_id();
  who->token_id = from.token_id();
  who->client_id = from.client_id();
  who->email = from.email();
  who->issue_time = TimeOf(from.has_issue_time(), from.issue_time());
  who->expire_time = TimeOf(from.has_expire_time(), from.expire_time());
  who->claims = from.claims();
  return who;
}

Code CodeOf(v1::Code code) {
  switch (code) {
    case v1::CODE_OK:
      return Code::kOk;
    case v1::CODE_TOKEN_MISSING:
      return Code::kTokenMissing;
    case v1::CODE_TOKEN_INVALID:
      return Code::kTokenInvalid;
    case v1::CODE_TOKEN_EXPIRED:
      return Code::kTokenExpired;
    case v1::CODE_TOKEN_REVOKED:
      return Code::kTokenRevoked;
    case v1::CODE_INSUFFICIENT_PERMISSIONS:
      return Code::kInsufficientPermissions;
    default:
      return Code::kUnspecified;
  }
}

template <class Message>
std::shared_ptr<const Facts> FactsOf(const Message& message) {
  auto facts = std::make_shared<Facts>();
  facts->revision = message.revision();
  facts->store_id = message.store_id();
  facts->rules = message.rules();
  facts->tags.reserve(static_cast<size_t>(message.tags_size()));
  bool whole = true;
  for (const std::string& bytes : message.tags()) {
    Tag& tag = facts->tags.emplace_back();
    whole = whole && bytes.size() == tag.size();
    if (whole) std::copy(bytes.begin(), bytes.end(), tag.begin());
  }
  // A tag that cannot be read is one that cannot be dropped by.
  if (!whole) facts->tags.clear();
  facts->remember_for = message.remember_for().seconds() * kSecond + message.remember_for().nanos();
  return facts;
}

AnswerPtr AnswerOf(const v1::Decision& decision, std::shared_ptr<const Principal> principal,
                   std::shared_ptr<const Facts> facts) {
  auto answer = std::make_shared<AnswerData>();
  answer->code = CodeOf(decision.code());
  answer->allow = decision.effect() == v1::EFFECT_ALLOW && answer->code == Code::kOk;
  // A denial is never answered with a status that says otherwise.
  const int status = decision.http_status();
  answer->http_status = answer->allow ? 200 : status == 401 ? 401 : 403;
  answer->detail = decision.detail();
  answer->id = decision.id();
  answer->explanation.reserve(static_cast<size_t>(decision.explanation_size()));
  for (const v1::Step& step : decision.explanation()) {
    answer->explanation.push_back({step.name(), step.passed(), step.detail()});
  }
  answer->principal = std::move(principal);
  // A denial for what was not said, or is not known, is not kept.
  const bool said =
      answer->allow || (decision.effect() == v1::EFFECT_DENY &&
                        answer->code != Code::kUnspecified && answer->code != Code::kOk);
  if (said) answer->facts = std::move(facts);
  return answer;
}

template <class Message>
Reply ReplyFrom(const Message& message) {
  auto principal = message.has_principal() ? PrincipalOf(message.principal()) : nullptr;
  Reply reply;
  reply.answer = AnswerOf(message.decision(), std::move(principal), FactsOf(message));
  return reply;
}

std::string KindOf(const v1::Revocation& revocation) {
  switch (revocation.target_case()) {
    case v1::Revocation::kTokenIdentity:
      return "token";
    case v1::Revocation::kTokenId:
      return "token_id";
    case v1::Revocation::kSession:
      return "session";
    case v1::Revocation::kSubject:
      return "subject";
    case v1::Revocation::kTenant:
      return "tenant";
    case v1::Revocation::kClient:
      return "client";
    case v1::Revocation::kKey:
      return "key";
    case v1::Revocation::TARGET_NOT_SET:
      break;
  }
  return "";
}

void SetTime(google::protobuf::Timestamp* out, WallTime time) {
  const auto nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  const int64_t part = ((nanos % kSecond) + kSecond) % kSecond;
  out->set_seconds((nanos - part) / kSecond);
  out->set_nanos(static_cast<int32_t>(part));
}

// Into the field of a RevokeRequest that its type names.
struct SetTarget {
  v1::RevokeRequest& request;

  template <class Message, class Target>
  static void SetIssuedUntil(Message& message, const Target& target) {
    message.set_issuer(target.issuer);
    if (target.issued_until.has_value()) {
      SetTime(message.mutable_issued_until(), *target.issued_until);
    }
  }
  void operator()(const TokenTarget& target) const { request.set_token(Sendable(target.token)); }
  void operator()(const TokenIdTarget& target) const {
    request.mutable_token_id()->set_issuer(target.issuer);
    request.mutable_token_id()->set_token_id(target.token_id);
  }
  void operator()(const SessionTarget& target) const {
    request.mutable_session()->set_issuer(target.issuer);
    request.mutable_session()->set_session_id(target.session_id);
  }
  void operator()(const SubjectTarget& target) const {
    SetIssuedUntil(*request.mutable_subject(), target);
    request.mutable_subject()->set_subject(target.subject);
  }
  void operator()(const TenantTarget& target) const {
    SetIssuedUntil(*request.mutable_tenant(), target);
    request.mutable_tenant()->set_tenant(target.tenant);
  }
  void operator()(const ClientTarget& target) const {
    SetIssuedUntil(*request.mutable_client(), target);
    request.mutable_client()->set_client_id(target.client_id);
  }
  void operator()(const KeyTarget& target) const {
    request.mutable_key()->set_issuer(target.issuer);
    request.mutable_key()->set_key_id(target.key_id);
  }
};

template <class Message>
std::optional<Message> Parsed(const std::string& bytes) {
  Message message;
  if (!message.ParseFromString(bytes)) return std::nullopt;
  return message;
}

Reply BatchFrom(const v1::BatchAuthorizeResponse& message, size_t checks) {
  Reply reply = ReplyFrom(message);
  if (!reply.answer->allow) {  // a bad token is good for nothing
    reply.answers.assign(checks, reply.answer);
    return reply;
  }
  reply.answers.reserve(checks);
  for (const v1::Decision& decision : message.decisions()) {
    if (reply.answers.size() == checks) break;
    reply.answers.push_back(AnswerOf(decision, reply.answer->principal, reply.answer->facts));
  }
  // What was not said denies, and is not remembered.
  while (reply.answers.size() < checks) {
    reply.answers.push_back(AnswerOf(v1::Decision(), reply.answer->principal, nullptr));
  }
  return reply;
}

}  // namespace

Error Unreadable() {
  return {ErrorCode::kUnimplemented,
          "its answer cannot be read: what answers at the target (GATEHOUSE_TARGET) is no "
          "gatehouse-server, or another version of it"};
}

Reply ReplyOf(const Error& error, size_t checks) {
  Reply reply;
  reply.answer = AnswerOf(error);
  reply.answers.assign(checks, reply.answer);
  return reply;
}

std::optional<Error> Malformed(const QuestionView& question) {
  std::string field;
  for (size_t i = 0; i < question.count && field.empty(); ++i) {
    const Check& check = question.checks[i];
    const auto look = [&](const char* name, const std::string& text) {
      if (field.empty() && !IsUtf8(text)) field = name;
    };
    look("resource", check.resource);
    look("owner", check.owner);
    look("action", check.action);
    look("tenant", check.tenant);
    for (const auto& [name, subjects] : check.relations) {
      look("relations", name);
      for (const std::string& subject : subjects) look("relations", subject);
    }
    for (const auto& [name, value] : check.attributes) {
      look("attributes", name);
      look("attributes", value);
    }
    if (!field.empty() && question.method == Method::kBatchAuthorize) {
      field.insert(0, std::string("checks[").append(std::to_string(i)).append("]."));
    }
  }
  if (field.empty()) return std::nullopt;
  return Error{ErrorCode::kInvalidArgument, field + ": is no UTF-8"};
}

std::string Encode(const QuestionView& question, const Extras& extras,
                   const std::optional<Revision>& required) {
  switch (question.method) {
    case Method::kVerify: {
      v1::VerifyRequest request;
      request.set_token(Sendable(question.token));
      request.set_explain(extras.explain);
      request.set_with_claims(extras.with_claims);
      SetRequired(request, required);
      return request.SerializeAsString();
    }
    case Method::kAuthorize: {
      v1::AuthorizeRequest request;
      request.set_token(Sendable(question.token));
      request.set_explain(extras.explain);
      SetCheck(request, question.checks[0]);
      SetRequired(request, required);
      return request.SerializeAsString();
    }
    case Method::kFilter: {
      v1::FilterRequest request;
      request.set_token(Sendable(question.token));
      request.set_resource_type(question.checks[0].resource);
      request.set_action(question.checks[0].action);
      SetRequired(request, required);
      return request.SerializeAsString();
    }
    default: {
      v1::BatchAuthorizeRequest request;
      request.set_token(Sendable(question.token));
      for (size_t i = 0; i < question.count; ++i) {
        SetCheck(*request.add_checks(), question.checks[i]);
      }
      SetRequired(request, required);
      return request.SerializeAsString();
    }
  }
}

Reply Decode(Method method, size_t checks, const std::string& bytes) {
  if (method == Method::kVerify) {
    if (const auto message = Parsed<v1::VerifyResponse>(bytes)) return ReplyFrom(*message);
  } else if (method == Method::kAuthorize) {
    if (const auto message = Parsed<v1::AuthorizeResponse>(bytes)) return ReplyFrom(*message);
  } else if (method == Method::kFilter) {
    if (const auto message = Parsed<v1::FilterResponse>(bytes)) {
      Reply reply = ReplyFrom(*message);
      if (reply.answer->allow) reply.filter = FilterFrom(message->filter());
      return reply;
    }
  } else if (const auto message = Parsed<v1::BatchAuthorizeResponse>(bytes)) {
    return BatchFrom(*message, checks);
  }
  return ReplyOf(Unreadable(), checks);
}

std::string EncodeRevoke(const RevocationTarget& target, const RevokeOptions& options) {
  v1::RevokeRequest request;
  std::visit(SetTarget{request}, target);
  request.set_reason(options.reason);
  if (options.expire_time.has_value()) {
    SetTime(request.mutable_expire_time(), *options.expire_time);
  }
  return request.SerializeAsString();
}

std::optional<Revoked> DecodeRevoked(const std::string& bytes) {
  const auto message = Parsed<v1::RevokeResponse>(bytes);
  if (!message.has_value()) return std::nullopt;
  const v1::Revocation& made = message->revocation();
  return Revoked{made.id(),           KindOf(made),       message->revision(),
                 message->store_id(), message->existed(), message->key_not_in_set()};
}

std::string EncodeReinstate(std::string_view id, std::string_view reason) {
  v1::ReinstateRequest request;
  request.set_id(std::string(id));
  request.set_reason(std::string(reason));
  return request.SerializeAsString();
}

std::optional<Reinstated> DecodeReinstated(const std::string& bytes) {
  const auto message = Parsed<v1::ReinstateResponse>(bytes);
  if (!message.has_value()) return std::nullopt;
  return Reinstated{message->revocation().id(), message->revision(), message->store_id(),
                    message->existed(), message->still_revoked()};
}

std::string EncodeWatch(const std::optional<Revision>& place, int64_t ping) {
  v1::WatchRequest request;
  if (place.has_value()) {
    request.set_from_revision(place->number);
    request.set_store_id(place->store_id);
  }
  request.set_ping(ping);
  return request.SerializeAsString();
}

std::optional<WatchMessage> DecodeWatch(const std::string& bytes) {
  const auto message = Parsed<v1::WatchResponse>(bytes);
  if (!message.has_value()) return std::nullopt;
  WatchMessage out;
  out.news.changes.reserve(static_cast<size_t>(message->changes_size()));
  for (const v1::RevocationChange& from : message->changes()) {
    News::Change& change = out.news.changes.emplace_back();
    change.revision = from.revision();
    const bool known = from.kind() == v1::RevocationChange::KIND_REVOKED ||
                       from.kind() == v1::RevocationChange::KIND_REINSTATED ||
                       from.kind() == v1::RevocationChange::KIND_KEY_GONE;
    change.everything = !known || from.tag().size() != change.tag.size();
    if (!change.everything) std::copy(from.tag().begin(), from.tag().end(), change.tag.begin());
  }
  out.news.revision = {message->store_id(), message->revision()};
  out.news.rules = message->rules();
  out.news.fell_behind = message->fell_behind();
  out.ping = message->ping();
  return out;
}

}  // namespace gatehouse::client
