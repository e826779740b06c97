#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/load_methods.h"
#include "tests/bench/load_result.h"
#include "tests/bench/process_cpu.h"
#include "tests/bench/tls_files.h"

namespace gatehouse::bench {

struct LoadOptions {
  std::string target;
  int connections = 2;
  int in_flight = 32;  // On each connection.
  double warmup_seconds = 0;
  // The measured window ends after so many seconds, or, if `calls` is not 0,
  // after so many calls.
  double seconds = 2;
  int64_t calls = 0;
  // Calls a second, begun on a fixed beat whether or not earlier ones were
  // answered, and timed from that beat. 0: each slot calls again at once.
  double rate = 0;
  // The metadata value of each call; empty: none.
  std::string authorization;
  TlsFiles tls;
  std::optional<ProcessCpu> server;
};

// Keeps connections x in_flight slots busy with one method, on one thread with
// one completion queue. Use once.
template <typename Method>
class LoadRunner {
 public:
  LoadRunner(LoadOptions options, Method method)
      : options_(std::move(options)), method_(std::move(method)) {}

  // False when the server could not be reached within five seconds.
  bool Connect() {
    for (int i = 0; i < options_.connections; ++i) {
      grpc::ChannelArguments arguments;
      // Else gRPC would share one connection between equal channels.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      const auto channel =
          grpc::CreateCustomChannel(options_.target, ClientCredentials(options_.tls), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5))) {
        return false;
      }
      stubs_.push_back(Method::Connect(channel));
    }
    for (int i = 0; i < options_.connections * options_.in_flight; ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->stub = stubs_[static_cast<size_t>(i) % stubs_.size()].get();
      free_.push_back(slots_.back().get());
    }
    return true;
  }

  LoadResult Run() {
    Start();
    while (Step()) continue;
    return Finish();
  }

  // The parts of Run, to run two in turn on one thread. Both must be paced, with more than
  // one slot: else a step waits.
  void Start() {
    begin_ = Now();
    next_due_ = begin_;
    if (options_.warmup_seconds <= 0) OpenWindow(begin_);
  }
  // False when the window is over and every call has been answered.
  bool Step() {
    if (closed_ && free_.size() == slots_.size()) return false;
    BeginDueCalls();
    TakeAnswer();
    return true;
  }
  // Ends the window, whatever the options say.
  void Close() {
    if (!closed_) CloseWindow(Now());
  }
  bool is_closed() const { return closed_; }
  LoadResult Finish() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    return std::move(result_);
  }

 private:
  struct Slot {
    typename Method::Stub* stub = nullptr;
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<typename Method::Reply>> reader;
    typename Method::Reply reply;
    grpc::Status status;
    int64_t due = 0;
  };

  static int64_t Now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }
  static int64_t Nanos(double seconds) { return static_cast<int64_t>(seconds * 1e9); }
  bool paced() const { return options_.rate > 0; }
  int64_t ServerCpu() const { return options_.server ? options_.server->Read() : 0; }

  void BeginDueCalls() {
    while (!closed_ && !free_.empty()) {
      const int64_t now = Now();
      if (paced() && next_due_ > now) return;
      if (window_open_ && options_.calls > 0 && begun_ == options_.calls) return;
      Begin(*free_.back(), paced() && !rested_ ? next_due_ : now);
      rested_ = false;
      free_.pop_back();
      if (paced()) next_due_ = begin_ + Nanos(static_cast<double>(++beats_) / options_.rate);
    }
  }

  void Begin(Slot& slot, int64_t due) {
    if (window_open_) ++begun_;
    slot.due = due;
    slot.reader.reset();
    slot.context.emplace();
    if (!options_.authorization.empty()) {
      slot.context->AddMetadata("authorization", options_.authorization);
    }
    slot.reader = Method::Begin(*slot.stub, &*slot.context, method_.Next(), &queue_);
    slot.reader->Finish(&slot.reply, &slot.status, &slot);
  }

  void TakeAnswer() {
    void* tag = nullptr;
    bool ok = false;
    if (paced() && slots_.size() == 1) {
      // Rests when there is nothing to wait for, so that others may have the CPU. How
      // late it wakes up is no fault of the server.
      if (!free_.empty()) {
        Rest(next_due_ - Now());
        rested_ = true;
        return Advance(Now());
      }
      queue_.Next(&tag, &ok);
    } else if (paced()) {
      // Polls: gRPC's timers are too coarse to wait for the next beat with.
      const auto status = queue_.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC));
      if (status != grpc::CompletionQueue::GOT_EVENT) {
        Advance(Now());
        return;
      }
    } else {
      queue_.Next(&tag, &ok);
    }
    auto* slot = static_cast<Slot*>(tag);
    const int64_t now = Now();
    if (window_open_) Count(*slot, now);
    free_.push_back(slot);
    Advance(now);
  }

  static void Rest(int64_t nanos) {
    if (nanos <= 0) return;
    const timespec time{nanos / 1'000'000'000, nanos % 1'000'000'000};
    nanosleep(&time, nullptr);
  }

  void Count(const Slot& slot, int64_t now) {
    if (!slot.status.ok()) {
      ++result_.errors[slot.status.error_code()];
      return;
    }
    ++result_.calls;
    ++codes_[static_cast<size_t>(method_.CodeOf(slot.reply)) % codes_.size()];
    result_.latency.Add(now - slot.due);
    if (result_.reply_bytes == 0) {
      result_.reply_bytes = static_cast<int64_t>(slot.reply.ByteSizeLong());
    }
  }

  // Opens and closes the measured window.
  void Advance(int64_t now) {
    if (closed_) return;
    if (!window_open_) {
      if (now - begin_ >= Nanos(options_.warmup_seconds)) OpenWindow(now);
      return;
    }
    const bool over = options_.calls > 0 ? Answered() >= options_.calls
                                         : now - opened_ >= Nanos(options_.seconds);
    if (over) CloseWindow(now);
  }

  int64_t Answered() const {
    int64_t answered = result_.calls;
    for (const auto& [status, count] : result_.errors) answered += count;
    return answered;
  }

  void OpenWindow(int64_t now) {
    window_open_ = true;
    opened_ = now;
    result_.server_cpu = -ServerCpu();
    result_.load_cpu = -LoadCpu();
  }

  void CloseWindow(int64_t now) {
    window_open_ = false;
    closed_ = true;
    result_.server_cpu += ServerCpu();
    result_.load_cpu += LoadCpu();
    result_.seconds = static_cast<double>(now - opened_) / 1e9;
    for (size_t code = 0; code < codes_.size(); ++code) {
      if (codes_[code] > 0) {
        result_.decisions[v1::Code_Name(static_cast<v1::Code>(code))] = codes_[code];
      }
    }
  }

  static int64_t LoadCpu() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }

  const LoadOptions options_;
  Method method_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<typename Method::Stub>> stubs_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::array<int64_t, v1::Code_ARRAYSIZE> codes_{};
  LoadResult result_;
  int64_t begin_ = 0;     // Of the warm-up.
  int64_t opened_ = 0;    // The measured window.
  int64_t next_due_ = 0;  // Of the next call, if paced.
  int64_t beats_ = 0;
  int64_t begun_ = 0;    // In the window.
  bool rested_ = false;  // until the beat that is due
  bool window_open_ = false;
  bool closed_ = false;
};

}  // namespace gatehouse::bench
