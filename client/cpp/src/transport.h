#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/cpp/src/question_key.h"
#include "gatehouse/result.h"
#include "gatehouse/settings.h"

namespace gatehouse::client {

// The way to the server, as bytes. Tests have one of their own. Thread-safe.
class Transport {
 public:
  // How a call or stream ended, in gRPC's codes; 0 is OK.
  struct Status {
    int code = 0;
    std::string message;
  };
  using Done = std::function<void(Status, std::string reply)>;

  // Of one stream. None runs at the same time as another of it.
  struct Events {
    std::function<void(std::string)> message;
    // The last one.
    std::function<void(Status)> end;
  };
  class Stream {
   public:
    virtual ~Stream() = default;
    // Left out while the one before is still on its way.
    virtual void Send(std::string message) = 0;
    // `end` is yet to come. Safe whenever.
    virtual void Cancel() = 0;
  };

  virtual ~Transport() = default;
  // Calls `done` once, within `timeout` (ns) or a little later, perhaps before it returns.
  virtual void Call(Method method, std::string request, int64_t timeout, Done done) = 0;
  // Begins a Watch with its first message.
  virtual std::shared_ptr<Stream> Watch(std::string first, Events events) = 0;
  // What begins later uses new connections: the old ones answer nothing any more.
  virtual void Renew() = 0;
  // Ends everything. When it returns, no function that was handed in runs or will.
  virtual void Close() = 0;
};

// Over gRPC. kSetting where a file of the settings cannot be used.
Result<std::unique_ptr<Transport>> MakeTransport(const Settings& settings);

}  // namespace gatehouse::client
