#include <cstdio>
#include <utility>

#include "client/cpp/src/core.h"
#include "client/cpp/src/settings_check.h"
#include "gatehouse/client.h"

// Apart from the rest, which can be built without gRPC.
namespace gatehouse {

Result<Client> Client::Create(Settings settings) {
  if (std::optional<Error> wrong = client::Wrong(settings); wrong.has_value()) {
    return *std::move(wrong);
  }
  if (settings.warn == nullptr) {
    settings.warn = [](const std::string& what) {
      std::fprintf(stderr, "gatehouse: warning: %s\n", what.c_str());
    };
  }
  Result<std::unique_ptr<client::Transport>> transport = client::MakeTransport(settings);
  if (!transport.ok()) return transport.error();
  return Client(std::make_shared<client::Core>(std::move(settings), client::MakeClock(),
                                               *std::move(transport), client::MakeChance()));
}

Result<Client> Client::FromEnvironment() {
  Result<Settings> settings = Settings::FromEnvironment();
  if (!settings.ok()) return settings.error();
  return Create(*std::move(settings));
}

}  // namespace gatehouse
