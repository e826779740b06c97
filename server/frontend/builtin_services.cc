#include "server/frontend/builtin_services.h"

#include <utility>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/frontend/builtin_call.h"

namespace gatehouse::frontend {
namespace {

// Calls that a queue holds ready.
constexpr int kReady = 2;

// As "", for probes that must name something.
constexpr char kReadiness[] = "readiness";

using Files = std::vector<const google::protobuf::FileDescriptor*>;

Files WithBuiltin(Files files) {
  files.push_back(grpc::health::v1::HealthCheckRequest::descriptor()->file());
  files.push_back(grpc::reflection::v1::ServerReflectionRequest::descriptor()->file());
  files.push_back(grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file());
  return files;
}

}  // namespace

BuiltinServices::BuiltinServices(const Files& served, std::atomic<int64_t>& in_flight)
    : reflection_(WithBuiltin(served)), in_flight_(in_flight) {}

BuiltinServices::BuiltinServices(std::atomic<int64_t>& in_flight) : in_flight_(in_flight) {}

BuiltinServices::~BuiltinServices() = default;

void BuiltinServices::Start(grpc::ServerCompletionQueue& queue) {
  for (int i = 0; i < kReady; ++i) AcceptOn(queue);
}

void BuiltinServices::AcceptOn(grpc::ServerCompletionQueue& queue) {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  auto call = std::make_unique<BuiltinCall>(*this, queue);
  BuiltinCall& accepting = *call;
  {
    MutexLock lock(mu_);
    calls_.emplace(call.get(), std::move(call));
  }
  accepting.Accept();
}

void BuiltinServices::Ended(const BuiltinCall& call) {
  std::unique_ptr<BuiltinCall> ended;
  {
    MutexLock lock(mu_);
    const auto place = calls_.find(&call);
    ended = std::move(place->second);
    calls_.erase(place);
  }
  ended.reset();
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
}

void BuiltinServices::SetServing(const std::string& name, bool serving) {
  MutexLock lock(mu_);
  if (draining_ || name == kLiveness) return;
  const bool news = Say(name, serving);
  const bool more = name.empty() && Say(kReadiness, serving);
  if (news || more) WakeAll();
}

bool BuiltinServices::Say(const std::string& name, bool serving) {
  const auto [place, is_new] = serving_.try_emplace(name, serving);
  return is_new || std::exchange(place->second, serving) != serving;
}

void BuiltinServices::Forget(const std::string& name) {
  MutexLock lock(mu_);
  if (!draining_ && name != kLiveness && serving_.erase(name) > 0) WakeAll();
}

void BuiltinServices::StopServing() {
  draining_ = true;
  for (auto& [name, serving] : serving_) serving = name == kLiveness;
}

void BuiltinServices::Drain() {
  MutexLock lock(mu_);
  StopServing();
  WakeAll();
}

void BuiltinServices::Shutdown() {
  MutexLock lock(mu_);
  closing_.store(true, std::memory_order_release);
  StopServing();
  WakeAll();
}

void BuiltinServices::WakeAll() {
  for (const auto& [key, call] : calls_) call->Wake();
}

BuiltinServices::Health BuiltinServices::Look(const std::string& name) const {
  MutexLock lock(mu_);
  using Response = grpc::health::v1::HealthCheckResponse;
  const auto place = serving_.find(name);
  if (place == serving_.end()) return {Response::SERVICE_UNKNOWN, closing()};
  return {place->second ? Response::SERVING : Response::NOT_SERVING, closing()};
}

}  // namespace gatehouse::frontend
