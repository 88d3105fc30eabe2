// SPDX-License-Identifier: Apache-2.0
#include "host/host.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "app/helper.h"
#include "app/requests.h"
#include "app/state_json.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::chrono::seconds probe_limit{8};
constexpr std::size_t longest_word = 256;

// `icelock` runs what links libnice; none of it is in this process.
Result<Json> run_probe(const std::vector<std::string>& arguments) {
  auto json = ask_program("icelock", arguments, probe_limit);
  if (json) json->erase("v");
  return json;
}

}  // namespace

Result<BrowserFamily> caller(std::span<char* const> arguments,
                             const std::vector<std::string>& others) {
  const std::string_view first = arguments.size() > 1 ? arguments[1] : "";
  const std::string_view second = arguments.size() > 2 ? arguments[2] : "";
  constexpr std::string_view scheme = "chrome-extension://";
  const auto is_origin_of = [&](std::string_view id) {
    return first == std::string(scheme) + std::string(id) + "/";
  };
  if (is_origin_of(policy::chromium_extension_id) || std::ranges::any_of(others, is_origin_of)) {
    return BrowserFamily::chromium;
  }
  if (first.ends_with(".json") && second == policy::firefox_extension_id) {
    return BrowserFamily::firefox;
  }
  return fail(Code::unknown_caller, "not started by an icelock extension",
              std::string(first.starts_with(scheme) ? first : second).substr(0, longest_word));
}

struct Host::Operation {
  std::string_view name;
  Answer (Host::*handler)(const ipc::Request&);
};

std::span<const Host::Operation> Host::operations() {
  static constexpr std::array table = {
      Operation{"status", &Host::do_status},     Operation{"subscribe", &Host::do_subscribe},
      Operation{"set_mode", &Host::do_set_mode}, Operation{"report", &Host::do_report},
      Operation{"probe", &Host::start_probe},    Operation{"sites", &Host::pass_on_sites},
      Operation{"allow", &Host::pass_on_sites},  Operation{"deny", &Host::pass_on_sites},
  };
  return table;
}

Host::Host(int input, int output, BrowserFamily family, Live live,
           const std::filesystem::path& service)
    : input_(input),
      output_(output),
      browser_(browser_of_parent(family)),
      live_(std::move(live)),
      link_(service),
      serial_(1) {
  link_.handle(guard::Clock::now());
}

int Host::run() {
  std::vector<pollfd> fds;
  while (!ended_) {
    fds.assign({{input_, POLLIN, 0}, {worker_.fd(), POLLIN, 0}});
    live_.add_to(fds);
    if (link_.fd() >= 0) fds.push_back({link_.fd(), POLLIN, 0});
    const int ready = ::poll(fds.data(), fds.size(), timeout());
    if (ready < 0 && errno != EINTR) return 1;
    // The network first: a tunnel that just came up must not wait behind a request.
    if (live_.handle()) state_changed();
    if (link_.handle(guard::Clock::now())) state_changed();
    worker_.run_finished();
    if (fds[0].revents != 0 && !read_input()) break;
    look_at_browsers();
  }
  // A browser waits for its hosts when it closes; what is under way must not keep it waiting.
  if (probing_ || browsers_asked_) {
    presence_.withdraw();
    std::_Exit(exit_code_);
  }
  return exit_code_;
}

bool Host::read_input() {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(input_, buffer.data(), buffer.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) {
    if (decoder_.at_boundary()) return false;
    send(ipc::failure(nullptr, {Code::bad_frame, "the input ended inside a frame", ""}));
    exit_code_ = 1;
    return false;
  }
  decoder_.feed({buffer.data(), static_cast<std::size_t>(n)});
  for (;;) {
    const auto payload = decoder_.next();
    if (!payload) {
      send(ipc::failure(nullptr, payload.error()));
      exit_code_ = 1;
      return false;
    }
    const std::optional<std::string>& whole = *payload;
    if (!whole) return !ended_;
    serve(*whole);
  }
}

void Host::serve(std::string_view payload) {
  const auto request = ipc::parse_request(payload);
  if (!request) return send(ipc::failure(request.error().id, request.error().error));
  const auto row = std::ranges::find(operations(), request->op, &Operation::name);
  if (row == operations().end()) {
    return answer(request->id,
                  fail(Code::unknown_op, "no such operation", request->op.substr(0, longest_word)));
  }
  answer(request->id, (this->*row->handler)(*request));
}

void Host::answer(const Json& id, const Answer& result) {
  if (!result) return send(ipc::failure(id, result.error()));
  const std::optional<Json>& content = *result;
  if (!content) return;
  const std::string payload = ipc::success(id, *content);
  if (payload.size() <= ipc::send_limit) return send(payload);
  send(ipc::failure(id, {Code::too_large, "the answer is too large", ""}));
}

int Host::timeout() const {
  const auto now = guard::Clock::now();
  const int own = live_.timeout(now);
  const int link = link_.timeout(now);
  return link < 0 ? own : std::min(own, link);
}

Json Host::state() const {
  guard::State state = joined(live_.state(), link_.word());
  state.serial = serial_;
  Json json = state_json(state);
  json["service"] = {{"present", link_.word().present}};
  json["sites"] = sites_json(link_.word());
  return {{"serial", serial_}, {"state", std::move(json)}};
}

std::vector<policy::SiteException> Host::exceptions() const {
  return joined(live_.state(), link_.word()).settings.sites;
}

Json Host::browsers(const std::vector<BrowserFiles>& files) const {
  guard::State state = joined(live_.state(), link_.word());
  state.serial = serial_;
  return browsers_json(browser_statuses(files, state, reports_, true));
}

void Host::state_changed() {
  ++serial_;
  push_state();  // first: a service that hangs must not keep the browser from the lock
  // One that came back has not heard what this browser obeys.
  if (!reports_.empty()) pass_on(reports_.front());
}

void Host::push_state() {
  if (!subscribed_) return;
  send(ipc::push("state", state()));
  browsers_due_ = true;
}

void Host::look_at_browsers() {
  if (!browsers_due_ || browsers_asked_) return;
  browsers_due_ = false;
  browsers_asked_ = true;
  worker_.post([this, sites = exceptions()]() -> Worker::Finish {
    return [this, files = read_browser_files("/", sites)] {
      browsers_asked_ = false;
      const auto notes =
          ipc::push("browsers", {{"serial", serial_}, {"browsers", browsers(files)}});
      // Words about files, without which nothing is looser: no reason to end, as a lost state is.
      if (notes.size() <= ipc::send_limit) send(notes);
    };
  });
}

void Host::send(std::string_view payload) {
  const auto frame = ipc::encode_frame(payload);
  if (!frame) {  // a push: who cannot hear of a lock must hear that nobody speaks any more
    ended_ = true;
    exit_code_ = 1;
    return;
  }
  std::string_view rest = *frame;
  while (!rest.empty()) {
    const ssize_t n = ::write(output_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ended_ = true;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

Host::Answer Host::do_status(const ipc::Request&) {
  Json answer = state();
  answer["state"]["browsers"] = browsers(read_browser_files("/", exceptions()));
  return answer;
}

Host::Answer Host::do_subscribe(const ipc::Request&) {
  subscribed_ = true;
  browsers_due_ = true;
  return state();
}

// A person's own choice, and the machine's if this person may make it. Who may not is none the
// looser for it: the machine's word still counts.
Host::Answer Host::do_set_mode(const ipc::Request& request) {
  const auto wish = TRY(parse_mode_request(request.body));
  TRY(guard::save_mode(live_.paths(), wish.mode, wish.level));
  if (live_.reload_settings(true)) state_changed();
  Json arguments = {{"mode", guard::name(wish.mode)}};
  if (const auto& level = wish.level) arguments["level"] = name(*level);
  const auto answer = [this, id = request.id](const Result<Json>&) {
    send(ipc::success(id, state()));
  };
  if (link_.request("set_mode", arguments, answer)) return std::nullopt;
  return state();
}

Host::Answer Host::do_report(const ipc::Request& request) {
  auto report = TRY(parse_report(request.body));
  report.browser = browser_.id;
  presence_.write(report);
  pass_on(report);
  reports_ = {std::move(report)};
  return Json::object();
}

// Exceptions are policy, so they are the service's alone.
Host::Answer Host::pass_on_sites(const ipc::Request& request) {
  Json arguments = Json::object();
  for (const char* field : {"pattern", "level", "seconds"}) {
    if (const auto found = request.body.find(field); found != request.body.end()) {
      arguments[field] = *found;
    }
  }
  const auto answer = [this, id = request.id, op = request.op](const Result<Json>& result) {
    if (!result) return send(ipc::failure(id, result.error()));
    if (op != "sites") return send(ipc::success(id, state()));
    send(ipc::success(id, {{"sites", result->value("sites", Json::array())},
                           {"possible", result->value("possible", Json()) == true}}));
  };
  if (link_.request(request.op, arguments, answer)) return std::nullopt;
  return fail(Code::unavailable, "exceptions need the icelock service, and it does not run here");
}

void Host::pass_on(const Report& report) {
  link_.request("report", report_json(report), [](const Result<Json>&) {});
}

Host::Answer Host::start_probe(const ipc::Request& request) {
  if (probing_) return fail(Code::busy, "a probe is running");
  std::vector<std::string> arguments = {"probe", "--json"};
  if (request.body.contains("stun")) {
    const auto stun = ipc::string_field(request.body, "stun");
    if (!stun) return std::unexpected(stun.error());
    if (stun->size() > longest_word) return fail(Code::too_large, "too long", "stun");
    if (!stun->empty()) arguments.push_back("--stun=" + *stun);
  }
  probing_ = true;
  worker_.post([this, id = request.id, arguments = std::move(arguments)]() -> Worker::Finish {
    return [this, id, result = run_probe(arguments)] {
      probing_ = false;
      send(result ? ipc::success(id, *result) : ipc::failure(id, result.error()));
    };
  });
  return std::nullopt;
}

}  // namespace icelock::app
