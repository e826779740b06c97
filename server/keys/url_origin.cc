#include "server/keys/url_origin.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/keys/conditional_get.h"
#include "server/keys/url.h"

namespace gatehouse::keys {
namespace {

class UrlOrigin final : public KeyOrigin {
 public:
  explicit UrlOrigin(UrlOriginOptions options) : options_(std::move(options)) {
    if (options_.discovery.has_value()) {
      document_.emplace(fetcher_, RequestFor(ConfigurationUrl(options_.discovery->issuer_url)));
    } else {
      jwks_.emplace(fetcher_, RequestFor(options_.url));
    }
  }

  absl::StatusOr<Brought> Bring(const std::function<void()>& meanwhile) override {
    if (document_.has_value()) GH_RETURN_IF_ERROR(Discover(meanwhile));
    GH_ASSIGN_OR_RETURN(FetchAnswer answer, jwks_->Get(meanwhile));
    Brought brought;
    brought.kind = answer.not_modified ? Brought::Kind::kConfirmed : Brought::Kind::kNew;
    brought.jwks = std::move(answer.body);
    brought.lifetime = options_.lifetime;
    if (answer.lifetime.has_value()) {
      brought.lifetime =
          std::clamp(*answer.lifetime, options_.least_lifetime, options_.most_lifetime);
    }
    return brought;
  }

  void Distrust() override {
    if (jwks_.has_value()) jwks_->Distrust();
  }

  void Abort() override { fetcher_.Abort(); }

 private:
  FetchRequest RequestFor(const std::string& url) const {
    return {.url = url, .limits = options_.limits, .known = {}, .ca_file = options_.ca_file};
  }

  absl::Status Discover(const std::function<void()>& meanwhile) {
    GH_ASSIGN_OR_RETURN(const FetchAnswer answer, document_->Get(meanwhile));
    const auto uri = JwksUriOf(answer.body, *options_.discovery);
    if (!uri.ok()) {
      document_->Distrust();
      return absl::UnavailableError(
          absl::StrCat(WithoutQuery(document_->url()), ": ", uri.status().message()));
    }
    if (!jwks_.has_value() || jwks_->url() != *uri) jwks_.emplace(fetcher_, RequestFor(*uri));
    return absl::OkStatus();
  }

  const UrlOriginOptions options_;
  HttpFetcher fetcher_;
  std::optional<ConditionalGet> document_;
  std::optional<ConditionalGet> jwks_;
};

}  // namespace

std::unique_ptr<KeyOrigin> MakeUrlOrigin(UrlOriginOptions options) {
  return std::make_unique<UrlOrigin>(std::move(options));
}

}  // namespace gatehouse::keys
