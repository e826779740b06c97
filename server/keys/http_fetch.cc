#include "server/keys/http_fetch.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/keys/cache_headers.h"
#include "server/keys/url.h"

namespace gatehouse::keys {
namespace {

// A key set's headers need a few hundred bytes; without a limit they could go on
// until the timeout.
constexpr size_t kMaxHeaderBytes = size_t{64} * 1024;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// One fetch, as libcurl's callbacks see it.
struct Transfer {
  std::string body;
  CacheHeaders cache;
  size_t header_bytes = 0;
  size_t max_bytes = 0;
  bool body_too_large = false;
  bool headers_too_large = false;
  std::array<char, CURL_ERROR_SIZE> reason{};
};

size_t OnBody(const char* data, size_t /*one*/, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (size > transfer.max_bytes - transfer.body.size()) {
    transfer.body_too_large = true;
    return 0;
  }
  transfer.body.append(data, size);
  return size;
}

size_t OnHeader(const char* data, size_t /*one*/, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.header_bytes += size;
  transfer.headers_too_large = transfer.header_bytes > kMaxHeaderBytes;
  if (transfer.headers_too_large) return 0;
  transfer.cache.Add({data, size});
  return size;
}

bool InitLibcurl() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

bool IsOnLoopback(const std::string& url) {
  const auto parsed = ParseUrl(url);
  return parsed.ok() && IsLoopbackHost(parsed->host);
}

// False if there is no memory for them.
bool AddConditions(const Validators& known, HeaderList& headers) {
  const auto add = [&](absl::string_view name, const std::string& value) {
    if (value.empty()) return true;
    curl_slist* const longer =
        curl_slist_append(headers.get(), absl::StrCat(name, ": ", value).c_str());
    if (longer == nullptr) return false;
    static_cast<void>(headers.release());
    headers.reset(longer);
    return true;
  };
  return add("If-None-Match", known.etag) && add("If-Modified-Since", known.last_modified);
}

// Nullptr if libcurl lacks one of the options, for each of them is needed.
EasyHandle MakeRequest(const FetchRequest& request, const HeaderList& headers, Transfer& transfer) {
  EasyHandle easy(curl_easy_init());
  if (easy == nullptr) return nullptr;
  bool set = true;
  const auto option = [&](CURLoption name, auto value) {
    set = curl_easy_setopt(easy.get(), name, value) == CURLE_OK && set;
  };
  option(CURLOPT_URL, request.url.c_str());
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_FOLLOWLOCATION, 0L);
  option(CURLOPT_FORBID_REUSE, 1L);
  option(CURLOPT_SSL_VERIFYPEER, 1L);
  option(CURLOPT_SSL_VERIFYHOST, 2L);
  option(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (IsOnLoopback(request.url)) option(CURLOPT_PROXY, "");
  if (!request.ca_file.empty()) {
    option(CURLOPT_CAINFO, request.ca_file.c_str());
    option(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    // Otherwise a file that was replaced would count for another day.
    option(CURLOPT_CA_CACHE_TIMEOUT, 0L);
  }
  if (headers != nullptr) option(CURLOPT_HTTPHEADER, headers.get());
  option(CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
  option(CURLOPT_TIMEOUT_MS,
         std::max<long>(1, static_cast<long>(absl::ToInt64Milliseconds(request.limits.timeout))));
  option(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.limits.max_bytes));
  option(CURLOPT_WRITEFUNCTION, &OnBody);
  option(CURLOPT_WRITEDATA, &transfer);
  option(CURLOPT_HEADERFUNCTION, &OnHeader);
  option(CURLOPT_HEADERDATA, &transfer);
  option(CURLOPT_ERRORBUFFER, transfer.reason.data());
  return set ? std::move(easy) : nullptr;
}

std::string WhyFailed(CURL* easy, CURLcode code, const Transfer& transfer) {
  if (transfer.body_too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return absl::StrCat("the answer is larger than ", transfer.max_bytes, " bytes");
  }
  if (transfer.headers_too_large) return "the answer's headers are too large";
  std::string why = transfer.reason.data();
  const char* const kind = curl_easy_strerror(code);
  if (!absl::StrContains(why, kind)) why = absl::StrCat(kind, why.empty() ? "" : ": ", why);
  long error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_COULDNT_CONNECT && error != 0) {
    absl::StrAppend(&why, " (", std::generic_category().message(static_cast<int>(error)), ")");
  }
  return why;
}

std::string WhyRefused(long http_status) {
  const bool redirect = http_status >= 300 && http_status < 400;
  return absl::StrCat("answered HTTP ", http_status,
                      redirect ? ", a redirect, and redirects are not followed" : "");
}

}  // namespace

struct HttpFetcher::Multi {
  CURLM* const handle = InitLibcurl() ? curl_multi_init() : nullptr;

  Multi() = default;
  ~Multi() { curl_multi_cleanup(handle); }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
};

HttpFetcher::HttpFetcher() : multi_(std::make_unique<Multi>()) {}
HttpFetcher::~HttpFetcher() = default;

void HttpFetcher::Abort() {
  aborted_ = true;
  if (multi_->handle != nullptr) curl_multi_wakeup(multi_->handle);
}

int HttpFetcher::Perform(void* easy, const std::function<void()>& meanwhile) {
  if (curl_multi_add_handle(multi_->handle, easy) != CURLM_OK) return CURLE_FAILED_INIT;
  int running = 1;
  CURLMcode step = CURLM_OK;
  while (running > 0 && step == CURLM_OK && !aborted_) {
    step = curl_multi_perform(multi_->handle, &running);
    // libcurl itself shortens this to its next timer.
    if (running > 0 && step == CURLM_OK && !aborted_) {
      step = curl_multi_poll(multi_->handle, nullptr, 0, meanwhile ? 500 : 10'000, nullptr);
    }
    if (meanwhile) meanwhile();
  }
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_->handle, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  // Without this, taking the handle away waits for a name that is being resolved.
  if (aborted_) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_multi_remove_handle(multi_->handle, easy);
  return code;
}

absl::StatusOr<FetchAnswer> HttpFetcher::Get(const FetchRequest& request,
                                             const std::function<void()>& meanwhile) {
  const auto failed = [&](const std::string& why) {
    return absl::UnavailableError(absl::StrCat(WithoutQuery(request.url), ": ", why));
  };
  Transfer transfer;
  transfer.max_bytes = request.limits.max_bytes;
  HeaderList headers;
  const bool conditions = AddConditions(request.known, headers);
  const EasyHandle easy = MakeRequest(request, headers, transfer);
  if (!conditions || easy == nullptr || multi_->handle == nullptr) {
    return failed("libcurl cannot be set up");
  }
  const auto code = static_cast<CURLcode>(Perform(easy.get(), meanwhile));
  if (aborted_) return absl::CancelledError(absl::StrCat(WithoutQuery(request.url), ": aborted"));
  if (code != CURLE_OK) return failed(WhyFailed(easy.get(), code, transfer));
  long http_status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &http_status);
  const bool not_modified = http_status == 304 && !request.known.empty();
  if (http_status != 200 && !not_modified) return failed(WhyRefused(http_status));
  FetchAnswer answer;
  answer.not_modified = not_modified;
  if (!not_modified) answer.body = std::move(transfer.body);
  answer.validators = transfer.cache.validators();
  answer.lifetime = transfer.cache.Lifetime();
  return answer;
}

}  // namespace gatehouse::keys
