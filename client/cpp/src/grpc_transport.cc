#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/token_file.h"
#include "client/cpp/src/transport.h"
#include "server/base/mutex.h"

// The only place that knows gRPC. Requests and replies are bytes here, so that no stubs
// are needed.
namespace gatehouse::client {
namespace {

constexpr unsigned kLookAtCertificates = 10;  // s
constexpr int kShortestReconnect = 50;        // ms
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

struct UnaryCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
  Transport::Done done;
};

// One stream. gRPC holds it from StartCall until OnDone.
class WatchStream final : public Transport::Stream,
                          public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(Running& running, Transport::Events events)
      : running_(running), events_(std::move(events)) {}

  grpc::ClientContext& context() { return context_; }

  void Begin(Stub& stub, std::string first) {
    self_ = shared_from_this();
    stub.PrepareBidiStreamingCall(&context_, Path("Watch"), {}, this);
    StartRead(&reply_);
    Send(std::move(first));
    // For the pings to come, which no reaction starts.
    AddHold();
    StartCall();
  }

  void Send(std::string message) override {
    MutexLock lock(mu_);
    if (writing_ || ended_) return;
    writing_ = true;
    request_ = BufferOf(message);
    StartWrite(&request_);
  }

  void Cancel() override {
    Release();
    context_.TryCancel();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Release();
    events_.message(BytesOf(reply_));
    reply_.Clear();
    StartRead(&reply_);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mu_);
      writing_ = false;
    }
    if (!ok) Release();
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<WatchStream> self = std::move(self_);
    // The last message of a stream that ends well is no reason not to begin again.
    events_.end(StatusOf(status));
    events_ = {};
    running_.Remove(&context_);
  }

 private:
  void Release() {
    {
      MutexLock lock(mu_);
      if (std::exchange(ended_, true)) return;
    }
    RemoveHold();
  }

  Running& running_;
  Transport::Events events_;
  grpc::ClientContext context_;
  grpc::ByteBuffer reply_;
  std::shared_ptr<WatchStream> self_;
  Mutex mu_;
  bool writing_ GH_GUARDED_BY(mu_) = false;
  bool ended_ GH_GUARDED_BY(mu_) = false;
  grpc::ByteBuffer request_ GH_GUARDED_BY(mu_);
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(const Settings& settings)
      : target_(settings.target),
        credentials_(CredentialsOf(settings)),
        token_(settings.token_file, settings.warn) {
    Connect();
  }
  ~GrpcTransport() override { Close(); }

  void Call(Method method, std::string request, int64_t timeout, Done done) override {
    auto call = std::make_shared<UnaryCall>();
    if (!running_.Add(&call->context)) return done({1, "the client was destroyed"}, "");
    call->request = BufferOf(request);
    call->done = std::move(done);
    call->context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(timeout, GPR_TIMESPAN)));
    Authenticate(call->context);
    stub(true)->UnaryCall(&call->context, Path(MethodName(method)), {}, &call->request,
                          &call->reply, [this, call](const grpc::Status& status) {
                            call->done(StatusOf(status), BytesOf(call->reply));
                            call->done = nullptr;
                            running_.Remove(&call->context);
                          });
  }

  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    auto stream = std::make_shared<WatchStream>(running_, events);
    if (!running_.Add(&stream->context())) {
      events.end({1, "the client was destroyed"});
      return stream;
    }
    Authenticate(stream->context());
    stream->Begin(*stub(false), std::move(first));
    return stream;
  }

  void Renew() override { Connect(); }
  void Close() override { running_.Close(); }

 private:
  static int64_t Now() {
    const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    return now.tv_sec * kSecond + now.tv_nsec;
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
  Mutex mu_;
  std::shared_ptr<Stub> calls_ GH_GUARDED_BY(mu_);
  std::shared_ptr<Stub> watch_ GH_GUARDED_BY(mu_);
};

}  // namespace

Result<std::unique_ptr<Transport>> MakeTransport(const Settings& settings) {
  return std::unique_ptr<Transport>(std::make_unique<GrpcTransport>(settings));
}

}  // namespace gatehouse::client
