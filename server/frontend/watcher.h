#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "server/revocation/change_feed.h"

namespace gatehouse::frontend {

// What one who watches has been told, and when it is to hear more. Knows of no stream.
// Times are on the steady clock. For one thread.
class Watcher {
 public:
  static constexpr int64_t kSecond = 1'000'000'000;
  // After so long without a word there is one.
  static constexpr int64_t kHeartbeat = kSecond / 2;
  // What is sent must have been taken by then.
  static constexpr int64_t kMaxWrite = 10 * kSecond;

  // What there is to be told.
  struct News {
    uint64_t version = 0;  // of the feed, read before the feed is
    absl::string_view rules;
    // Whether the store knows everything that was acknowledged anywhere.
    bool fresh = true;
  };
  enum class Turn { kNothing, kSend, kCutOff };
  // What goes with a batch.
  struct Message {
    int64_t revision = 0;
    int64_t ping = 0;
    bool fell_behind = false;
  };

  // From `from` on. `fell_behind`: not from where it had asked.
  void Begin(const revocation::ChangeFeed::Cursor& from, bool fell_behind) {
    cursor_ = from;
    fell_behind_ = fell_behind;
  }
  void OnPing(int64_t ping) { came_ = ping; }

  Turn Next(int64_t now, const News& news);
  // Where it stands.
  const revocation::ChangeFeed::Cursor& cursor() const { return cursor_; }
  // `batch`, read from the cursor, is now sent.
  Message Send(int64_t now, const News& news, const revocation::ChangeFeed::Batch& batch);
  enum class After {
    kNothing,
    kSendMore,  // at once: the batch was not all there was
    kLookSoon,  // something came meanwhile
  };
  // What was sent has been taken.
  After Sent();

 private:
  revocation::ChangeFeed::Cursor cursor_;
  bool fell_behind_ = false;
  bool begun_ = false;
  bool writing_ = false;
  bool complete_ = true;
  bool missed_ = false;
  int64_t sent_at_ = 0;
  uint64_t told_version_ = 0;
  std::string told_rules_;
  int64_t came_ = 0;    // the newest ping
  int64_t echoed_ = 0;  // the newest that was answered
};

}  // namespace gatehouse::frontend
