#pragma once

#include <map>
#include <optional>
#include <string>

namespace gatehouse::policy {

// Where a resource type's facts stand in the backend's database: the only source of
// names in the SQL that is made. Every name is an identifier: letters, digits and
// underscores, beginning with no digit, 63 bytes at most; a table's may be qualified
// by one schema ("app.tasks").
struct Column {
  enum class Type { kText, kInteger, kNumber };
  std::string name;
  Type type = Type::kText;

  bool operator==(const Column& other) const = default;
};

// The rows of a join table that relate subjects to the resource.
struct JoinTable {
  std::string table;
  std::string resource;  // its column that names the resource
  std::string subject;   // its column that names the subject

  bool operator==(const JoinTable& other) const = default;
};

struct Table {
  std::string name;
  std::string id = "id";  // the resource's own column that JoinTable::resource names
  std::optional<Column> owner = {};
  std::optional<Column> tenant = {};
  std::map<std::string, Column> attributes = {};
  std::map<std::string, JoinTable> relations = {};
  // For row-level security: which action a row must be allowed for. By the command:
  // select, insert, update or delete.
  std::map<std::string, std::string> commands = {};

  bool operator==(const Table& other) const = default;
};

// Whether `name` may stand in SQL between quotation marks as it is.
bool IsIdentifier(const std::string& name);

}  // namespace gatehouse::policy
