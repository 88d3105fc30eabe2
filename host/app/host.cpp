// SPDX-License-Identifier: Apache-2.0
#include "app/host.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "app/state_json.h"
#include "base/run.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::chrono::seconds probe_limit{8};
constexpr std::size_t longest_word = 256;

Result<std::filesystem::path> sibling(std::string_view program) {
  std::error_code problem;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (problem) return fail_errno(problem.value(), "cannot find the program's own folder");
  return self.parent_path() / program;
}

// `icelock` links libnice; running it keeps that chain of libraries out of this process.
Result<Json> run_probe(const std::vector<std::string>& arguments) {
  auto output = run_program(arguments, probe_limit);
  if (!output) return std::unexpected(output.error());
  Json json = Json::parse(output->output, nullptr, false);
  if (!json.is_object()) return fail(Code::probe_failed, "icelock probe gave no answer");
  if (json.contains("code")) {
    return fail(Code::probe_failed,
                ipc::string_field(json, "what").value_or("icelock probe failed"),
                ipc::string_field(json, "object").value_or(""));
  }
  json.erase("v");
  return json;
}

}  // namespace

Result<BrowserFamily> caller(std::span<char* const> arguments) {
  const std::string_view first = arguments.size() > 1 ? arguments[1] : "";
  const std::string_view second = arguments.size() > 2 ? arguments[2] : "";
  constexpr std::string_view scheme = "chrome-extension://";
  if (first == std::string(scheme) + std::string(policy::chromium_extension_id) + "/") {
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
      Operation{"probe", &Host::start_probe},
  };
  return table;
}

Host::Host(int input, int output, BrowserFamily family, Live live)
    : input_(input),
      output_(output),
      browser_(browser_of_parent(family)),
      live_(std::move(live)),
      probe_done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

int Host::run() {
  std::vector<pollfd> fds;
  while (!ended_) {
    fds.assign({{input_, POLLIN, 0}, {probe_done_.get(), POLLIN, 0}});
    live_.add_to(fds);
    const int ready = ::poll(fds.data(), fds.size(), live_.timeout(guard::Clock::now()));
    if (ready < 0 && errno != EINTR) return 1;
    // The network first: a tunnel that just came up must not wait behind a request.
    if (live_.handle()) push_state();
    if (fds[1].revents != 0) finish_probe();
    if (fds[0].revents != 0 && !read_input()) break;
  }
  // A browser waits for its hosts when it closes; a probe under way must not keep it waiting.
  if (probe_thread_.joinable()) {
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

Json Host::state() const {
  return {
      {"serial", live_.state().serial},
      {"state", state_json(live_.state(), browser_statuses("/", live_.state(), reports_, true))}};
}

void Host::push_state() {
  if (subscribed_) send(ipc::push("state", state()));
}

void Host::send(std::string_view payload) {
  const auto frame = ipc::encode_frame(payload);
  std::string_view rest = frame ? std::string_view(*frame) : std::string_view();
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
  return state();
}

Host::Answer Host::do_subscribe(const ipc::Request&) {
  subscribed_ = true;
  return state();
}

Host::Answer Host::do_set_mode(const ipc::Request& request) {
  const auto word = ipc::string_field(request.body, "mode");
  if (!word) return std::unexpected(word.error());
  const auto mode = guard::parse_mode(*word);
  if (!mode) return fail(Code::bad_request, "must be auto, locked or open", "mode");
  std::optional<Level> level;
  if (request.body.contains("level")) {
    const auto level_word = ipc::string_field(request.body, "level");
    if (!level_word) return std::unexpected(level_word.error());
    level = parse_level(*level_word);
    if (!level) return fail(Code::bad_request, "no such level", "level");
    if (*mode != guard::Mode::locked) {
      return fail(Code::bad_request, "only with mode locked", "level");
    }
  }
  if (auto saved = guard::save_mode(live_.paths(), *mode, level); !saved) {
    return std::unexpected(saved.error());
  }
  if (live_.reload_settings(true)) push_state();
  return state();
}

Host::Answer Host::do_report(const ipc::Request& request) {
  Report report;
  report.browser = browser_.id;
  const auto serial = ipc::unsigned_field(request.body, "serial");
  if (!serial) return std::unexpected(serial.error());
  report.serial = *serial;
  for (auto [field, target] : {std::pair{"value", &report.value},
                               std::pair{"level_of_control", &report.level_of_control}}) {
    auto text = ipc::string_field(request.body, field);
    if (!text) return std::unexpected(text.error());
    if (text->size() > longest_word) return fail(Code::too_large, "too long", field);
    *target = std::move(*text);
  }
  if (request.body.contains("level") && !request.body["level"].is_null()) {
    const auto level = ipc::string_field(request.body, "level");
    if (!level) return std::unexpected(level.error());
    report.level = parse_level(*level);
    if (!report.level) return fail(Code::bad_request, "no such level", "level");
  }
  presence_.write(report);
  reports_ = {std::move(report)};
  return Json::object();
}

Host::Answer Host::start_probe(const ipc::Request& request) {
  if (probe_thread_.joinable()) return fail(Code::busy, "a probe is running");
  const auto program = sibling("icelock");
  if (!program) return std::unexpected(program.error());
  std::vector<std::string> arguments = {program->string(), "probe", "--json"};
  if (request.body.contains("stun")) {
    const auto stun = ipc::string_field(request.body, "stun");
    if (!stun) return std::unexpected(stun.error());
    if (stun->size() > longest_word) return fail(Code::too_large, "too long", "stun");
    arguments.push_back("--stun=" + *stun);
  }
  probe_id_ = request.id;
  probe_thread_ = std::jthread([this, arguments = std::move(arguments)] {
    probe_result_ = run_probe(arguments);
    ::eventfd_write(probe_done_.get(), 1);
  });
  return std::nullopt;
}

void Host::finish_probe() {
  eventfd_t count = 0;
  ::eventfd_read(probe_done_.get(), &count);
  if (!probe_thread_.joinable()) return;
  probe_thread_.join();
  if (!probe_result_) return send(ipc::failure(probe_id_, probe_result_.error()));
  send(ipc::success(probe_id_, *probe_result_));
}

}  // namespace icelock::app
