#include "gatehouse/settings.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

#include "client/cpp/src/settings_check.h"
#include "client/cpp/src/text.h"

namespace gatehouse {
namespace client {
namespace {

constexpr size_t kLongestFile = size_t{1024} * 1024;
constexpr size_t kLongestSecret = size_t{16} * 1024;
// A name without a folder that is as long as a secret may be one.
constexpr size_t kLikeSecret = 30;

// "token_file (GATEHOUSE_TOKEN_FILE)": the names of one setting.
struct Name {
  const char* setting;
  const char* variable;
};
constexpr Name kTarget{"target", "GATEHOUSE_TARGET"};
constexpr Name kTokenFile{"token_file", "GATEHOUSE_TOKEN_FILE"};
constexpr Name kCaFile{"ca_file", "GATEHOUSE_CA_FILE"};
constexpr Name kCertFile{"cert_file", "GATEHOUSE_CERT_FILE"};
constexpr Name kKeyFile{"key_file", "GATEHOUSE_KEY_FILE"};
constexpr Name kMesh{"plaintext_behind_mesh", "GATEHOUSE_PLAINTEXT_BEHIND_MESH"};
constexpr Name kDeadline{"deadline", "GATEHOUSE_DEADLINE"};
constexpr Name kStaleness{"max_staleness", "GATEHOUSE_MAX_STALENESS"};
constexpr Name kEntries{"memory_entries", "GATEHOUSE_MEMORY_ENTRIES"};
constexpr Name kMib{"memory_mib", "GATEHOUSE_MEMORY_MIB"};

Error Bad(const Name& name, const std::string& what) {
  return {ErrorCode::kSetting, std::string(name.setting) + " (" + name.variable + ") " + what};
}

std::string Shown(const std::string& path) {
  if (path.size() >= kLikeSecret && path.find('/') == std::string::npos) {
    return "a file whose name is not shown, since it may be a secret: the setting takes the name "
           "of a file";
  }
  return Printable(path);
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::optional<Error> WrongPem(const Name& name, const std::string& path, const char* what) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return Bad(name, "names " + Shown(path) + ": " + bytes.error().message);
  if (bytes->find("-----BEGIN ") != std::string::npos && bytes->find(what) != std::string::npos) {
    return std::nullopt;
  }
  return Bad(name, "names " + Shown(path) + ", which holds no " + what + " in PEM");
}

std::optional<Error> WrongTls(const Settings& settings) {
  const bool cert = !settings.cert_file.empty();
  if (cert != !settings.key_file.empty()) {
    return cert ? Bad(kKeyFile, "is not set, but cert_file (GATEHOUSE_CERT_FILE) is")
                : Bad(kCertFile, "is not set, but key_file (GATEHOUSE_KEY_FILE) is");
  }
  if (cert && settings.ca_file.empty()) {
    return Bad(kCaFile,
               "is not set, but cert_file (GATEHOUSE_CERT_FILE) is: in plaintext no "
               "certificate is shown");
  }
  if (!settings.ca_file.empty()) {
    if (auto wrong = WrongPem(kCaFile, settings.ca_file, "CERTIFICATE")) return wrong;
  }
  if (cert) {
    if (auto wrong = WrongPem(kCertFile, settings.cert_file, "CERTIFICATE")) return wrong;
    if (auto wrong = WrongPem(kKeyFile, settings.key_file, "PRIVATE KEY")) return wrong;
  }
  if (settings.ca_file.empty() && !settings.plaintext_behind_mesh &&
      !IsOnThisMachine(settings.target)) {
    return Bad(kCaFile, "is not set, so calls to " + Printable(settings.target) +
                            " would be in plaintext, tokens and all. Set it; or, where a mesh "
                            "encrypts them, plaintext_behind_mesh "
                            "(GATEHOUSE_PLAINTEXT_BEHIND_MESH=true)");
  }
  return std::nullopt;
}

std::optional<Error> WrongNumbers(const Settings& settings) {
  using std::chrono::milliseconds;
  if (settings.deadline < milliseconds(1) || settings.deadline > milliseconds(600'000)) {
    return Bad(kDeadline, "must be from 1ms to 600s");
  }
  if (settings.max_staleness < milliseconds(1000) ||
      settings.max_staleness > milliseconds(60'000)) {
    return Bad(kStaleness, "must be from 1s to 60s");
  }
  if (settings.memory_entries > 100'000'000) return Bad(kEntries, "must be at most 100000000");
  if (settings.memory_mib > size_t{1024} * 1024 ||
      (settings.memory_mib == 0 && settings.memory_entries > 0)) {
    return Bad(kMib,
               "must be from 1 to 1048576; memory_entries (GATEHOUSE_MEMORY_ENTRIES) 0 is "
               "what turns the memory off");
  }
  return std::nullopt;
}

// A variable's value; empty counts as not set.
const char* Variable(const Name& name) {
  // Read where the application starts, as its other settings.
  const char* const value = std::getenv(name.variable);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr || *value == '\0' ? nullptr : value;
}

// Digits and nothing else, up to a billion.
std::optional<size_t> Number(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  size_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return number;
}

std::optional<Error> Read(const Name& name, std::string& out) {
  if (const char* const value = Variable(name)) out = value;
  return std::nullopt;
}

std::optional<Error> Read(const Name& name, bool& out) {
  const char* const value = Variable(name);
  if (value == nullptr) return std::nullopt;
  out = std::strcmp(value, "true") == 0;
  if (out || std::strcmp(value, "false") == 0) return std::nullopt;
  return Bad(name, "must be true or false");
}

std::optional<Error> Read(const Name& name, size_t& out) {
  const char* const value = Variable(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<size_t> number = Number(value);
  if (!number.has_value()) return Bad(name, "must be a whole number");
  out = *number;
  return std::nullopt;
}

std::optional<Error> Read(const Name& name, std::chrono::milliseconds& out) {
  const char* const value = Variable(name);
  if (value == nullptr) return std::nullopt;
  const std::string_view text = value;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<size_t> number = Number(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  if (!number.has_value() || (unit != "ms" && unit != "s" && unit != "m")) {
    return Bad(name, "must be a time such as 500ms, 3s or 1m");
  }
  const auto count = static_cast<int64_t>(*number);
  out = std::chrono::milliseconds(unit == "ms"  ? count
                                  : unit == "s" ? count * 1000
                                                : count * 60'000);
  return std::nullopt;
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  const auto why = [] {
    return Error{ErrorCode::kSetting, std::generic_category().message(errno)};
  };
  if (file == nullptr) return why();
  std::string bytes(kLongestFile + 1, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get()) != 0) return why();
  if (bytes.size() > kLongestFile) return Error{ErrorCode::kSetting, "is larger than 1 MiB"};
  return bytes;
}

Result<std::string> SecretIn(const std::string& bytes, const std::string& path) {
  const auto first = std::find_if_not(bytes.begin(), bytes.end(), IsSpace);
  const auto last = std::find_if_not(bytes.rbegin(), bytes.rend(), IsSpace).base();
  if (first >= last) return Bad(kTokenFile, "names " + Shown(path) + ", which is empty");
  std::string secret(first, last);
  if (secret.size() > kLongestSecret) {
    return Bad(kTokenFile, "names " + Shown(path) + ", which holds more than a token");
  }
  if (!std::all_of(secret.begin(), secret.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return Bad(kTokenFile, "names " + Shown(path) +
                               ", in which there is white space, or another character that no "
                               "token has: it must hold one token and nothing else");
  }
  return secret;
}

std::optional<Error> Wrong(const Settings& settings) {
  if (const auto what = WrongTarget(settings.target)) {
    return Bad(kTarget, settings.target.empty()
                            ? *what
                            : "is \"" + Printable(settings.target) + "\", which " + *what);
  }
  if (auto wrong = WrongTls(settings)) return wrong;
  if (!settings.token_file.empty()) {
    const Result<std::string> bytes = ReadFile(settings.token_file);
    if (!bytes.ok()) {
      return Bad(kTokenFile, "names " + Shown(settings.token_file) + ": " + bytes.error().message);
    }
    if (const Result<std::string> secret = SecretIn(*bytes, settings.token_file); !secret.ok()) {
      return secret.error();
    }
  }
  return WrongNumbers(settings);
}

}  // namespace client

Result<Settings> Settings::FromEnvironment() {
  Settings settings;
  using namespace client;  // NOLINT: the names of the settings
  std::optional<Error> wrong = Read(kTarget, settings.target);
  if (!wrong) wrong = Read(kTokenFile, settings.token_file);
  if (!wrong) wrong = Read(kCaFile, settings.ca_file);
  if (!wrong) wrong = Read(kCertFile, settings.cert_file);
  if (!wrong) wrong = Read(kKeyFile, settings.key_file);
  if (!wrong) wrong = Read(kMesh, settings.plaintext_behind_mesh);
  if (!wrong) wrong = Read(kDeadline, settings.deadline);
  if (!wrong) wrong = Read(kStaleness, settings.max_staleness);
  if (!wrong) wrong = Read(kEntries, settings.memory_entries);
  if (!wrong) wrong = Read(kMib, settings.memory_mib);
  if (wrong) return *std::move(wrong);
  return settings;
}

}  // namespace gatehouse
