#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/policy/columns.h"

// A policy as it was written, before it is compiled. Values; the configuration
// fills them in and keeps where each stands.
namespace gatehouse::policy {

// What the token's tenant has to do with the resource's.
enum class Tenancy {
  kRequired,  // both set and equal
  kOptional,  // a resource with a tenant needs that tenant
  kNone,      // not looked at
};

// Whom a rule is about.
struct Who {
  enum class Kind {
    kOwner,          // the subject is the resource's owner
    kRole,           // the token has the role `name`, or one that includes it
    kScope,          // the token has the scope `name`
    kRelation,       // the subject is among those that the row relates by `name`
    kAuthenticated,  // everybody with a good token
  };
  Kind kind = Kind::kAuthenticated;
  std::string name = {};

  bool operator==(const Who& other) const = default;
};

// A condition is true, false or unknown, as in SQL: a comparison with a value that
// is absent or empty is unknown, and so is a comparison of numbers with a text that
// is none; `not` unknown is unknown; only `present` always knows.
struct Condition {
  enum class Kind {
    kAll,          // every one of `inner`
    kAny,          // one of `inner`
    kNot,          // inner[0] is false
    kPresent,      // the value is there and not empty
    kEquals,       // the value is values[0], byte by byte
    kIn,           // the value is one of `values`
    kPrefix,       // the value begins with values[0]
    kEqualsClaim,  // the value is that of the claim values[0]
    kLess,         // the value is a number below `number`; and so on
    kAtMost,
    kGreater,
    kAtLeast,
  };
  enum class Of { kAttribute, kClaim };

  Kind kind = Kind::kAll;
  Of of = Of::kAttribute;
  std::string name = {};  // the attribute's, or the claim's (a name or a path)
  std::vector<std::string> values = {};
  double number = 0;
  std::vector<Condition> inner = {};

  bool operator==(const Condition& other) const = default;
};

struct Rule {
  Who who;
  std::vector<Condition> when = {};  // all of them

  bool operator==(const Rule& other) const = default;
};

struct Action {
  std::string name;
  std::vector<Rule> allow = {};
  std::vector<Rule> deny = {};  // wins, unless it is false
  // It was said that everybody may.
  bool is_public = false;

  bool operator==(const Action& other) const = default;
};

struct Resource {
  std::string type;
  // Whose subjects may be an owner here. Empty: the only issuer's.
  std::vector<std::string> issuers = {};
  Tenancy tenancy = Tenancy::kOptional;
  std::vector<Action> actions = {};
  // Where such things stand in the backend's database.
  std::optional<Table> table = {};

  bool operator==(const Resource& other) const = default;
};

struct Role {
  std::string name;
  std::vector<std::string> includes = {};

  bool operator==(const Role& other) const = default;
};

struct Definition {
  std::vector<Role> roles = {};
  std::vector<Resource> resources = {};

  bool operator==(const Definition& other) const = default;
};

}  // namespace gatehouse::policy
