#include "server/engine/known_token.h"

#include <malloc.h>

#include <cstring>
#include <functional>
#include <new>
#include <utility>

#include "server/engine/token_tags.h"

namespace gatehouse::engine {
namespace {

// What glibc's allocator keeps beside what it hands out.
constexpr size_t kChunkHeader = sizeof(size_t);

size_t HeapBytes(const void* block) {
  return malloc_usable_size(const_cast<void*>(block)) + kChunkHeader;
}

// Bytes that are wanted behind an object, and what it then took.
struct Room {
  size_t wanted = 0;
  size_t heap_bytes = 0;
};

// Allocates objects with room behind each. `room` is used by allocate() alone.
template <typename T>
class RoomAllocator {
 public:
  using value_type = T;

  explicit RoomAllocator(Room* room) : room_(room) {}
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor): what an allocator must have.
  RoomAllocator(const RoomAllocator<U>& other) : room_(other.room()) {}

  T* allocate(size_t count) {
    void* const block = ::operator new(count * sizeof(T) + room_->wanted);
    room_->heap_bytes = HeapBytes(block);
    return static_cast<T*>(block);
  }
  void deallocate(T* block, size_t /*count*/) { ::operator delete(block); }

  Room* room() const { return room_; }
  template <typename U>
  bool operator==(const RoomAllocator<U>& /*other*/) const {
    return true;
  }

 private:
  Room* room_;
};

// Calls `change` with every view that has text of its own.
template <typename Change>
void ForEachText(policy::Principal& principal, const Change& change) {
  change(principal.subject);
  change(principal.tenant);
  for (absl::string_view& role : principal.roles) change(role);
  for (absl::string_view& scope : principal.scopes) change(scope);
  change(principal.session_id);
  change(principal.token_id);
  change(principal.client_id);
  change(principal.email);
  for (auto& [name, value] : principal.claims) change(value);
}

bool Lies(absl::string_view text, absl::string_view within) {
  const std::less_equal<> in_order;
  return in_order(within.data(), text.data()) &&
         in_order(text.data() + text.size(), within.data() + within.size());
}

// Most of the principal's text stands in its rendered form, in the same order:
// there it is not kept twice. Returns the bytes of what does not.
size_t PointInto(absl::string_view rendered, policy::Principal& principal) {
  size_t apart = 0;
  size_t from = 0;
  ForEachText(principal, [&](absl::string_view& text) {
    if (text.empty()) return;
    size_t at = rendered.find(text, from);
    if (at == absl::string_view::npos) at = rendered.find(text);
    if (at == absl::string_view::npos) {
      apart += text.size();
      return;
    }
    text = rendered.substr(at, text.size());
    from = at + text.size();
  });
  return apart;
}

// Fills the room behind a token from its beginning to its end.
class Writer {
 public:
  explicit Writer(char* begin) : next_(begin) {}

  absl::string_view Copy(absl::string_view text) {
    char* const begin = next_;
    if (!text.empty()) std::memcpy(begin, text.data(), text.size());
    next_ += text.size();
    return {begin, text.size()};
  }

 private:
  char* next_;
};

template <typename T>
size_t HeapBytes(const std::vector<T>& list) {
  return list.capacity() > 0 ? HeapBytes(static_cast<const void*>(list.data())) : 0;
}

size_t HeapBytes(const policy::Principal::Names& names) {
  return names.capacity() > 1 ? HeapBytes(static_cast<const void*>(names.data())) : 0;
}

}  // namespace

std::shared_ptr<const KnownToken> MakeKnownToken(
    absl::string_view token, const jose::VerifiedJwt& jwt, const TrustedIssuer& issuer,
    AudienceMask audiences, policy::Principal principal, absl::string_view rendered) {
  Room room{.wanted = token.size() + rendered.size() + PointInto(rendered, principal)};
  const auto known = std::allocate_shared<KnownToken>(RoomAllocator<KnownToken>(&room));
  Writer writer(reinterpret_cast<char*>(known.get() + 1));
  known->token = writer.Copy(token);
  known->rendered = writer.Copy(rendered);
  ForEachText(principal, [&](absl::string_view& text) {
    text = !text.empty() && Lies(text, rendered)
               ? known->rendered.substr(static_cast<size_t>(text.data() - rendered.data()),
                                        text.size())
               : writer.Copy(text);
  });
  principal.issuer = issuer.rules.issuer;
  known->tags = TagsOf(principal, jwt);
  known->principal = std::move(principal);
  known->identity = jwt.identity();
  known->key = jwt.key();
  known->issuer = &issuer;
  known->not_before = jwt.claims().not_before.value_or(absl::InfinitePast());
  known->audiences = audiences;
  known->heap_bytes = room.heap_bytes + HeapBytes(known->principal.roles) +
                      HeapBytes(known->principal.scopes) + HeapBytes(known->principal.claims) +
                      HeapBytes(known->principal.opaque_claims);
  return known;
}

}  // namespace gatehouse::engine
