#include "client/cpp/src/question_key.h"

#include <cstring>
#include <random>
#include <utility>

namespace gatehouse::client {
namespace {

// Multiplies to 128 bits and folds: the mixing step of wyhash and its kin, by which a
// token of a kilobyte takes some 30 ns.
inline uint64_t Mix(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 Wide;  // NOLINT(modernize-use-using)
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t Load(const char* from) {
  uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

inline uint64_t LoadHalf(const char* from) {
  uint32_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

constexpr uint64_t kA = 0x9e3779b97f4a7c15;
constexpr uint64_t kB = 0xd1342543de82ef95;
constexpr uint64_t kC = 0xbf58476d1ce4e5b9;
constexpr uint64_t kD = 0x94d049bb133111eb;

uint64_t Seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return (static_cast<uint64_t>(device()) << 32) | device();
  }();
  return seed;
}

uint64_t Add(uint64_t state, std::string_view text) {
  const char* from = text.data();
  size_t left = text.size();
  // The length goes in: "ab","c" is another question than "a","bc".
  state = Mix(state ^ left, kA);
  if (left >= 64) {  // four chains, so that the multiplications overlap
    uint64_t a = state;
    uint64_t b = state ^ kB;
    uint64_t c = state ^ kC;
    uint64_t d = state ^ kD;
    for (; left >= 64; left -= 64, from += 64) {
      a = Mix(Load(from) ^ kA, Load(from + 8) ^ a);
      b = Mix(Load(from + 16) ^ kB, Load(from + 24) ^ b);
      c = Mix(Load(from + 32) ^ kC, Load(from + 40) ^ c);
      d = Mix(Load(from + 48) ^ kD, Load(from + 56) ^ d);
    }
    state = Mix(a ^ kB, b) ^ Mix(c ^ kD, d);
  }
  for (; left > 16; left -= 16, from += 16) {
    state = Mix(Load(from) ^ kA, Load(from + 8) ^ state);
  }
  // Loads that overlap, and no call of memcpy with a length that the compiler cannot see.
  if (left >= 8) return Mix(Load(from) ^ kC, Load(from + left - 8) ^ state);
  if (left >= 4) return Mix(LoadHalf(from) ^ kC, LoadHalf(from + left - 4) ^ state);
  if (left > 0) {
    const uint64_t ends = (static_cast<uint64_t>(static_cast<unsigned char>(from[0])) << 16) |
                          (static_cast<uint64_t>(static_cast<unsigned char>(from[left / 2])) << 8) |
                          static_cast<unsigned char>(from[left - 1]);
    return Mix(ends ^ kC, state ^ kD);
  }
  return state;
}

uint64_t Add(uint64_t state, const Check& check) {
  state = Add(state, check.resource);
  state = Add(state, check.owner);
  state = Add(state, check.action);
  state = Add(state, check.tenant);
  state = Mix(state ^ check.relations.size(), kB);
  for (const auto& [name, subjects] : check.relations) {
    state = Mix(Add(state, name) ^ subjects.size(), kD);
    for (const std::string& subject : subjects) state = Add(state, subject);
  }
  state = Mix(state ^ check.attributes.size(), kC);
  for (const auto& [name, value] : check.attributes) state = Add(Add(state, name), value);
  return state;
}

bool Same(const Check& a, const Check& b) {
  return a.resource == b.resource && a.owner == b.owner && a.action == b.action &&
         a.tenant == b.tenant && a.relations == b.relations && a.attributes == b.attributes;
}

// Writes what Reader compares with: each text behind its length, each list behind its
// count, so that no two questions are written alike.
class Writer {
 public:
  bool Number(size_t number) {
    const auto word = static_cast<uint32_t>(number);
    flat_.append(reinterpret_cast<const char*>(&word), sizeof word);
    return true;
  }
  bool Text(std::string_view text) {
    Number(text.size());
    flat_ += text;
    return true;
  }
  std::string Take() { return std::move(flat_); }

 private:
  std::string flat_;
};

class Reader {
 public:
  explicit Reader(const char* flat) : at_(flat) {}
  bool Number(size_t number) {
    uint32_t word = 0;
    std::memcpy(&word, at_, sizeof word);
    at_ += sizeof word;
    return word == number;
  }
  // Only what is as long is compared, so that nothing beyond the bytes is.
  bool Text(std::string_view text) {
    if (!Number(text.size())) return false;
    const bool same = std::memcmp(at_, text.data(), text.size()) == 0;
    at_ += text.size();
    return same;
  }

 private:
  const char* at_;
};

// Goes through a question's parts in their one order, while what they are given to says
// yes.
template <class Visitor>
bool Visit(Visitor& visitor, const Check& check) {
  if (!visitor.Text(check.resource) || !visitor.Text(check.owner) || !visitor.Text(check.action) ||
      !visitor.Text(check.tenant) || !visitor.Number(check.relations.size())) {
    return false;
  }
  for (const auto& [name, subjects] : check.relations) {
    if (!visitor.Text(name) || !visitor.Number(subjects.size())) return false;
    for (const std::string& subject : subjects) {
      if (!visitor.Text(subject)) return false;
    }
  }
  if (!visitor.Number(check.attributes.size())) return false;
  for (const auto& [name, value] : check.attributes) {
    if (!visitor.Text(name) || !visitor.Text(value)) return false;
  }
  return true;
}

template <class Visitor>
bool Visit(Visitor& visitor, const QuestionView& question) {
  if (!visitor.Number(static_cast<size_t>(question.method)) || !visitor.Number(question.count) ||
      !visitor.Text(question.token)) {
    return false;
  }
  for (size_t i = 0; i < question.count; ++i) {
    if (!Visit(visitor, question.checks[i])) return false;
  }
  return true;
}

}  // namespace

const char* MethodName(Method method) {
  switch (method) {
    case Method::kVerify:
      return "Verify";
    case Method::kAuthorize:
      return "Authorize";
    case Method::kBatchAuthorize:
      return "BatchAuthorize";
    case Method::kFilter:
      return "Filter";
    case Method::kRevoke:
      return "Revoke";
    case Method::kReinstate:
      break;
  }
  return "Reinstate";
}

uint64_t HashOf(const QuestionView& question) {
  uint64_t state = Mix(Seed() ^ kA, kB + static_cast<uint64_t>(question.method));
  state = Add(state, question.token);
  for (size_t i = 0; i < question.count; ++i) state = Add(state, question.checks[i]);
  return Mix(state ^ kA, kC);
}

bool Same(const QuestionView& a, const QuestionView& b) {
  if (a.method != b.method || a.count != b.count || a.token != b.token) return false;
  for (size_t i = 0; i < a.count; ++i) {
    if (!Same(a.checks[i], b.checks[i])) return false;
  }
  return true;
}

std::string Flatten(const QuestionView& question) {
  Writer writer;
  Visit(writer, question);
  return writer.Take();
}

bool SameAsFlat(const QuestionView& question, const char* flat) {
  Reader reader(flat);
  return Visit(reader, question);
}

}  // namespace gatehouse::client
