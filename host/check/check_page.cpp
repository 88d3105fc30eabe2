// SPDX-License-Identifier: Apache-2.0
#include "check/check_page.h"

#include <httplib.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/fd.h"
#include "check/check_page_text.h"
#include "ipc/message.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::size_t largest_answer = std::size_t{64} * 1024;
constexpr std::size_t most_candidates = 256;
constexpr std::size_t longest_word = 256;
// Long enough for a STUN server that is far away; candidates of a dead one come no more after this.
constexpr int gather_milliseconds = 4000;

constexpr std::array<std::string_view, 6> types = {"host",  "srflx",   "prflx",
                                                   "relay", "related", "connection"};
constexpr std::array<std::string_view, 3> sources = {"event", "sdp", "stats"};

template <std::size_t size>
bool is_one_of(const std::array<std::string_view, size>& words, const Json& word) {
  return word.is_string() &&
         std::ranges::find(words, word.get_ref<const std::string&>()) != words.end();
}

bool is_random_name(std::string_view text) {
  constexpr std::string_view end = ".local";
  return text.ends_with(end) && text.size() > end.size() &&
         std::ranges::all_of(text.substr(0, text.size() - end.size()), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Result<Candidate> parse_candidate(const Json& json) {
  const auto address = ipc::string_field(json, "address");
  if (!address) return std::unexpected(address.error());
  if (address->size() > longest_word || (!net::parse_ip(*address) && !is_random_name(*address))) {
    return fail(Code::bad_request, "not an address", "address");
  }
  if (json.size() != 3 || !json.contains("type") || !is_one_of(types, json["type"])) {
    return fail(Code::bad_request, "no such type", "type");
  }
  Candidate candidate{*address, json["type"], {}};
  if (!json.contains("sources") || !json["sources"].is_array() ||
      json["sources"].size() > sources.size()) {
    return fail(Code::bad_request, "missing or too many", "sources");
  }
  for (const Json& source : json["sources"]) {
    if (!is_one_of(sources, source)) return fail(Code::bad_request, "no such source", "sources");
    candidate.sources.push_back(source);
  }
  return candidate;
}

std::string random_path() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return "";  // matches no request
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "/";
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string page_for(const Json& task) {
  constexpr std::string_view mark = "@TASK@";
  std::string page(check_page_text);
  std::string text = task.dump();
  // Inside a script element "</" would end it.
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    text.replace(at, 1, "\\u003c");
  }
  return page.replace(page.find(mark), mark.size(), text);
}

}  // namespace

Result<PageAnswer> parse_answer(std::string_view body) {
  if (body.size() > largest_answer) return fail(Code::too_large, "the page said too much");
  const auto json = ipc::parse_json(body);
  if (!json) return std::unexpected(json.error());
  PageAnswer answer;
  const auto error = ipc::string_field(*json, "error");
  if (!error) return std::unexpected(error.error());
  if (error->size() > longest_word) return fail(Code::too_large, "too long", "error");
  answer.error = *error;
  if (json->size() != 3 || !json->contains("api") || !(*json)["api"].is_boolean()) {
    return fail(Code::bad_request, "missing or not a truth value", "api");
  }
  answer.api = (*json)["api"];
  const auto list = json->find("candidates");
  if (list == json->end() || !list->is_array() || list->size() > most_candidates) {
    return fail(Code::bad_request, "missing or too many", "candidates");
  }
  for (const Json& entry : *list) {
    Candidate candidate = TRY(parse_candidate(entry));
    answer.candidates.push_back(std::move(candidate));
  }
  return answer;
}

ice::Sight sight_of(const PageAnswer& answer) {
  ice::Sight sight{.api = answer.api, .names = false, .shown = {}};
  for (const Candidate& candidate : answer.candidates) {
    if (candidate.type == "relay") continue;
    const auto ip = net::parse_ip(candidate.address);
    sight.names = sight.names || !ip;
    // The c= line repeats the address of some candidate.
    if (!ip || candidate.type == "connection") continue;
    const ice::Shown shown{*ip, candidate.type == "srflx" || candidate.type == "prflx"};
    if (std::ranges::find(sight.shown, shown) == sight.shown.end()) sight.shown.push_back(shown);
  }
  return sight;
}

struct CheckPage::State {
  httplib::Server server;
  std::atomic<bool> ended = false;  ///< it serves no longer
  std::jthread thread;
  int port = 0;
  Fd ready{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};

  std::mutex mutex;
  struct Page {
    std::string host;
    std::string path;
    std::string text;
    std::optional<PageAnswer> answer;
  };
  std::array<Page, 2> pages;

  std::string origin_host(std::string_view name) const {
    return std::string(name) + ":" + std::to_string(port);
  }

  // The one gate. Bodies of unknown or packed length would be read without a bound.
  Page* page_of(const httplib::Request& request) {
    const bool writes = request.method == "POST";
    if (!writes && request.method != "GET") return nullptr;
    if (request.has_header("Transfer-Encoding") || request.has_header("Content-Encoding") ||
        (writes && !request.has_header("Content-Length"))) {
      return nullptr;
    }
    for (Page& page : pages) {
      if (page.path.empty() || request.target != page.path || page.answer) continue;
      if (request.get_header_value_count("Host") == 1 &&
          request.get_header_value("Host") == page.host) {
        return &page;
      }
    }
    return nullptr;
  }

  void give(const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex);
    const Page* page = page_of(request);
    if (page == nullptr) {
      response.status = 404;
      return;
    }
    response.set_header("Cache-Control", "no-store");
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; script-src 'unsafe-inline'; connect-src 'self'; "
                        "img-src data:; frame-ancestors 'none'; base-uri 'none'");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_content(page->text, "text/html; charset=utf-8");
  }

  void take(const httplib::Request& request, httplib::Response& response) {
    auto answer = parse_answer(request.body);
    const std::lock_guard lock(mutex);
    Page* page = page_of(request);
    if (page == nullptr) {
      response.status = 404;
    } else if (!answer) {
      response.status = info(answer.error().code).http_status;
    } else {
      page->answer = std::move(*answer);
      response.status = 204;
      if (pages[0].answer && pages[1].answer) ::eventfd_write(ready.get(), 1);
    }
  }

  void set_up() {
    server.set_payload_max_length(largest_answer);
    server.set_keep_alive_max_count(1);
    server.set_read_timeout(std::chrono::seconds(5));
    server.set_write_timeout(std::chrono::seconds(5));
    server.set_pre_routing_handler([this](const auto& request, auto& response) {
      const std::lock_guard lock(mutex);
      if (page_of(request) != nullptr) return httplib::Server::HandlerResponse::Unhandled;
      response.status = 404;
      return httplib::Server::HandlerResponse::Handled;
    });
    server.Get("/[0-9a-f]+",
               [this](const auto& request, auto& response) { give(request, response); });
    server.Post("/[0-9a-f]+",
                [this](const auto& request, auto& response) { take(request, response); });
  }
};

CheckPage::CheckPage(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<CheckPage>> CheckPage::start() {
  auto state = std::make_unique<State>();
  state->set_up();
  state->port = state->server.bind_to_any_port("127.0.0.1");
  if (state->port <= 0 || !state->ready) {
    return fail(Code::unavailable, "cannot serve the check page on 127.0.0.1");
  }
  try {
    state->thread = std::jthread([raw = state.get()] {
      raw->server.listen_after_bind();
      raw->ended = true;
    });
  } catch (const std::system_error& problem) {
    return fail_errno(problem.code().value(), "cannot start a thread for the check page");
  }
  // stop() does nothing before the server runs.
  while (!state->server.is_running()) {
    if (state->ended) return fail(Code::unavailable, "cannot serve the check page on 127.0.0.1");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return std::unique_ptr<CheckPage>(new CheckPage(std::move(state)));
}

CheckPage::~CheckPage() {
  state_->server.stop();
}

std::string CheckPage::granted_origin() const {
  return "http://" + state_->origin_host("localhost");
}

std::string CheckPage::open(const std::vector<std::string>& stun_urls) {
  const std::lock_guard lock(state_->mutex);
  auto& [first, second] = state_->pages;
  // Two names of the same place: to a browser they are two origins.
  first = {state_->origin_host("127.0.0.1"), random_path(), "", {}};
  second = {state_->origin_host("localhost"), random_path(), "", {}};
  Json task = {{"servers", stun_urls},
               {"milliseconds", gather_milliseconds},
               {"answer", second.path},
               {"next", ""}};
  second.text = page_for(task);
  task["answer"] = first.path;
  task["next"] = "http://" + second.host + second.path;
  first.text = page_for(task);
  eventfd_t count = 0;
  ::eventfd_read(state_->ready.get(), &count);
  return "http://" + first.host + first.path;
}

int CheckPage::fd() const {
  return state_->ready.get();
}

std::optional<Answers> CheckPage::answers() {
  const std::lock_guard lock(state_->mutex);
  auto& [first, second] = state_->pages;
  if (!first.answer || !second.answer) return std::nullopt;
  return Answers{*first.answer, *second.answer};
}

}  // namespace icelock::app
