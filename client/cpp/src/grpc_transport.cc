#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/own_thread.h"
#include "client/cpp/src/token_file.h"
#include "client/cpp/src/transport.h"
#include "server/base/mutex.h"

// The only place that knows gRPC. Requests and replies are bytes here, so that no stubs
// are needed.
namespace gatehouse::client {
namespace {

constexpr unsigned kLookAtCertificates = 10;  // s
// Of gRPC's own pauses, in ms: the third connection is tried after 0.32 to 0.41 s, in time for
// the last try of a call that a restart of 0.3 s has met.
constexpr int kShortestReconnect = 140;
constexpr int kLongestReconnect = 2000;

using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>;

std::string Path(const char* method) {
  return std::string("/gatehouse.v1.AuthorizationService/") + method;
}

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return "";
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

Transport::Status StatusOf(const grpc::Status& status) {
  return {static_cast<int>(status.error_code()), status.error_message()};
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const Settings& settings) {
  if (settings.ca_file.empty()) return grpc::InsecureChannelCredentials();
  // Reads the files again when they change, as those of a mesh do every few hours.
  using Files = grpc::experimental::FileWatcherCertificateProvider;
  const bool identity = !settings.cert_file.empty();
  const auto files = identity ? std::make_shared<Files>(settings.key_file, settings.cert_file,
                                                        settings.ca_file, kLookAtCertificates)
                              : std::make_shared<Files>(settings.ca_file, kLookAtCertificates);
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(files);
  options.watch_root_certs();
  if (identity) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

// Counts what is under way, and ends it.
class Running {
 public:
  // False: nothing may begin any more.
  bool Add(grpc::ClientContext* context) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (closed_) return false;
    contexts_.insert(context);
    return true;
  }
  void Remove(grpc::ClientContext* context) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    contexts_.erase(context);
    if (contexts_.empty()) empty_.NotifyAll();
  }
  void Close() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    closed_ = true;
    for (grpc::ClientContext* const context : contexts_) context->TryCancel();
    while (!contexts_.empty()) empty_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar empty_;
  bool closed_ GH_GUARDED_BY(mu_) = false;
  std::unordered_set<grpc::ClientContext*> contexts_ GH_GUARDED_BY(mu_);
};

// What is to be done when an operation of the queue has ended.
class Step {
 public:
  virtual ~Step() = default;
  virtual void Run(bool ok) = 0;
};

class UnaryCall final : public Step {
 public:
  UnaryCall(Running& running, const std::string& request, Transport::Done done)
      : running_(running), request_(BufferOf(request)), done_(std::move(done)) {}

  grpc::ClientContext& context() { return context_; }

  // Deletes itself when it has ended.
  void Begin(Stub& stub, Method method, grpc::CompletionQueue& queue) {
    reader_ = stub.PrepareUnaryCall(&context_, Path(MethodName(method)), request_, &queue);
    reader_->StartCall();
    reader_->Finish(&reply_, &status_, this);
  }

  void Run(bool /*ok*/) override {
    done_(StatusOf(status_), BytesOf(reply_));
    done_ = nullptr;
    running_.Remove(&context_);
    delete this;
  }

 private:
  Running& running_;
  grpc::ClientContext context_;
  const grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  grpc::Status status_;
  Transport::Done done_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader_;
};

// One stream. Holds itself until it has ended. Its steps run on the queue's thread.
class WatchStream final : public Transport::Stream,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(Running& running, std::string first, Transport::Events events)
      : running_(running), first_(std::move(first)), events_(std::move(events)) {}

  grpc::ClientContext& context() { return context_; }

  void Begin(Stub& stub, grpc::CompletionQueue& queue) {
    self_ = shared_from_this();
    stream_ = stub.PrepareCall(&context_, Path("Watch"), &queue);
    stream_->StartCall(&started_);
  }

  void Send(std::string message) override {
    MutexLock lock(mu_);
    if (open_) Write(message);
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  struct Then final : Step {
    Then(WatchStream& of, void (WatchStream::*what)(bool)) : stream(of), step(what) {}
    void Run(bool ok) override { (stream.*step)(ok); }
    WatchStream& stream;
    void (WatchStream::* const step)(bool);
  };

  void Write(const std::string& message) GH_REQUIRES(mu_) {
    if (writing_) return;
    writing_ = true;
    request_ = BufferOf(message);
    stream_->Write(request_, &wrote_);
  }
  void OnStarted(bool ok) {
    MutexLock lock(mu_);
    if (!ok) return Finish();
    open_ = true;
    Write(first_);
    stream_->Read(&reply_, &read_);
  }
  void OnRead(bool ok) {
    if (ok) {
      events_.message(BytesOf(reply_));
      reply_.Clear();
      return stream_->Read(&reply_, &read_);
    }
    MutexLock lock(mu_);
    open_ = false;
    if (!writing_) Finish();
  }
  void OnWrote(bool /*ok*/) {
    MutexLock lock(mu_);
    writing_ = false;
    if (!open_) Finish();
  }
  // Nothing is under way any more.
  void Finish() GH_REQUIRES(mu_) { stream_->Finish(&status_, &finished_); }
  void OnFinished(bool /*ok*/) {
    const std::shared_ptr<WatchStream> self = std::move(self_);
    events_.end(StatusOf(status_));
    events_ = {};
    running_.Remove(&context_);
  }

  Running& running_;
  const std::string first_;
  Transport::Events events_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  grpc::ByteBuffer reply_;
  grpc::Status status_;
  std::shared_ptr<WatchStream> self_;
  Then started_{*this, &WatchStream::OnStarted};
  Then read_{*this, &WatchStream::OnRead};
  Then wrote_{*this, &WatchStream::OnWrote};
  Then finished_{*this, &WatchStream::OnFinished};

  Mutex mu_;
  bool open_ GH_GUARDED_BY(mu_) = false;
  bool writing_ GH_GUARDED_BY(mu_) = false;
  grpc::ByteBuffer request_ GH_GUARDED_BY(mu_);
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(const Settings& settings)
      : target_(settings.target),
        credentials_(CredentialsOf(settings)),
        token_(settings.token_file, settings.warn) {
    Connect();
    thread_ = std::thread([this] { Run(); });
  }
  ~GrpcTransport() override {
    Close();
    queue_.Shutdown();
    thread_.join();
  }

  void Call(Method method, std::string request, int64_t timeout, Done done) override {
    auto call = std::make_unique<UnaryCall>(running_, std::move(request), done);
    if (!running_.Add(&call->context())) return done({1, "the client was destroyed"}, "");
    call->context().set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(timeout, GPR_TIMESPAN)));
    Authenticate(call->context());
    call.release()->Begin(*stub(true), method, queue_);
  }

  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    auto stream = std::make_shared<WatchStream>(running_, std::move(first), events);
    if (!running_.Add(&stream->context())) {
      events.end({1, "the client was destroyed"});
      return stream;
    }
    Authenticate(stream->context());
    stream->Begin(*stub(false), queue_);
    return stream;
  }

  void Renew() override { Connect(); }
  void Close() override { running_.Close(); }

 private:
  static int64_t Now() {
    const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    return now.tv_sec * kSecond + now.tv_nsec;
  }

  // A queue of its own: that of gRPC's callbacks is taken down with the last channel, and
  // fails where that goes on one of its own threads.
  void Run() {
    on_own_thread = true;
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) static_cast<Step*>(tag)->Run(ok);
  }

  void Authenticate(grpc::ClientContext& context) {
    const std::string token = token_.Get(Now());
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  }

  std::shared_ptr<Stub> NewStub() const {
    grpc::ChannelArguments arguments;
    // A token in plaintext is nothing for the proxy that the environment may name.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // Tries are counted and budgeted by Calls.
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    // A connection of its own: else Renew would find the old one again.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kShortestReconnect);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kLongestReconnect);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnect);
    // Behind a headless Service, to all of its pods.
    arguments.SetLoadBalancingPolicyName("round_robin");
    return std::make_shared<Stub>(grpc::CreateCustomChannel(target_, credentials_, arguments));
  }

  // Two connections, so that no flood of answers delays the events.
  void Connect() {
    auto calls = NewStub();
    auto watch = NewStub();
    MutexLock lock(mu_);
    calls_.swap(calls);
    watch_.swap(watch);
  }

  std::shared_ptr<Stub> stub(bool calls) {
    MutexLock lock(mu_);
    return calls ? calls_ : watch_;
  }

  const std::string target_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  TokenFile token_;
  Running running_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
  Mutex mu_;
  std::shared_ptr<Stub> calls_ GH_GUARDED_BY(mu_);
  std::shared_ptr<Stub> watch_ GH_GUARDED_BY(mu_);
};

}  // namespace

Result<std::unique_ptr<Transport>> MakeTransport(const Settings& settings) {
  return std::unique_ptr<Transport>(std::make_unique<GrpcTransport>(settings));
}

}  // namespace gatehouse::client
