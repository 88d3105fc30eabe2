// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "app/live.h"
#include "app/machine_link.h"
#include "app/print.h"
#include "app/state_json.h"
#include "cli/verbs.h"

namespace icelock::app {
namespace {

constexpr std::chrono::seconds service_limit{5};

std::string browser_line(const BrowserStatus& browser) {
  std::string line = browser.name + ": ";
  if (browser.level) {
    line += std::string(name(*browser.level)) + ", set by " + browser.controlled_by;
  } else {
    line += "nothing read back: no running extension and no policy";
  }
  for (const std::string& problem : browser.problems) line += "; " + problem;
  return line;
}

std::string painted(Level level, const Paint& paint) {
  return level == Level::unrestricted ? paint.yellow(name(level)) : paint.green(name(level));
}

void print_sites(const ipc::Json& sites, std::ostream& out) {
  std::string_view label = "Sites";
  const auto list = sites.find("list");
  if (list == sites.end() || !list->is_array()) return;
  for (const ipc::Json& site : *list) print_row(out, std::exchange(label, ""), site_line(site));
  const std::size_t all = sites.value("granted", ipc::Json::array()).size();
  if (all <= list->size()) return;
  print_row(out, label, std::to_string(all - list->size()) + " more that other users allowed");
}

/// The user's own guard, and the machine's service when there is one.
struct Sight {
  Live live;
  MachineLink link;

  Sight(Live own, const std::filesystem::path& root)
      : live(std::move(own)), link(service_socket(root), service_limit) {
    link.handle(guard::Clock::now());
  }

  guard::State state() const { return joined(live.state(), link.word()); }
};

void print_state(const Sight& sight, const std::filesystem::path& root, const Output& output) {
  const guard::State state = sight.state();
  const auto browsers = browser_statuses(read_browser_files(root, state.settings.sites), state,
                                         present_reports(), false);
  std::ostream& out = output.out;
  if (output.json) {
    ipc::Json json = state_json(state);
    json["browsers"] = browsers_json(browsers);
    json["service"] = {{"present", sight.link.word().present}};
    json["sites"] = sites_json(sight.link.word());
    out << ipc::text_of(json) << '\n' << std::flush;
    return;
  }
  if (state.network) {
    print_network(out, *state.network);
  } else {
    print_row(out, "Network", "could not be read");
  }
  print_row(out, "Mode", guard::name(state.settings.mode));
  print_row(out, "Decision",
            "Chromium family " + painted(state.decision.chromium, output.paint()) + ", Firefox " +
                painted(state.decision.firefox, output.paint()));
  print_reasons(out, state.decision.reasons);
  std::string_view label = "Browsers";
  for (const BrowserStatus& browser : browsers) {
    if (browser.installed) print_row(out, std::exchange(label, ""), browser_line(browser));
  }
  if (label == "Browsers") print_row(out, label, "none found");
  print_sites(sites_json(sight.link.word()), out);
  print_row(out, "Service",
            sight.link.word().present ? "icelockd guards this machine" : "icelockd is not running");
  out << std::flush;
}

}  // namespace

int run_status(const std::filesystem::path& root, const Output& output) {
  auto live = Live::open_for_user(root);
  if (!live) return report_error(live.error(), output);
  print_state(Sight(std::move(*live), root), root, output);
  return 0;
}

int run_watch(const std::filesystem::path& root, int stop_fd, const Output& output) {
  auto live = Live::open_for_user(root);
  if (!live) return report_error(live.error(), output);
  Sight sight(std::move(*live), root);
  std::vector<pollfd> fds;
  bool changed = true;
  while (output.out) {
    if (changed) {
      print_state(sight, root, output);
      if (!output.json) output.out << '\n' << std::flush;
    }
    fds.assign({{stop_fd, POLLIN, 0}});
    sight.live.add_to(fds);
    if (sight.link.fd() >= 0) fds.push_back({sight.link.fd(), POLLIN, 0});
    const auto now = guard::Clock::now();
    int timeout = sight.live.timeout(now);
    if (const int link = sight.link.timeout(now); link >= 0) timeout = std::min(timeout, link);
    ::poll(fds.data(), fds.size(), timeout);
    if (fds[0].revents != 0) break;
    changed = sight.live.handle();
    changed = sight.link.handle(guard::Clock::now()) || changed;
  }
  return 0;
}

int run_mode(const std::filesystem::path& root, guard::Mode mode, std::optional<Level> level,
             const Output& output) {
  if (::geteuid() == 0 && std::getenv("SUDO_USER") != nullptr) {
    output.err
        << "icelock: this sets the mode of root's browsers; run it without sudo for your own\n";
  }
  // One's own lock holds without the machine; anything looser needs it.
  const bool alone = mode == guard::Mode::locked;
  auto service = connect_service(root);
  if (!service && !alone) return report_error(service.error(), output);
  const auto saved = guard::save_mode(guard::settings_paths(root), mode, level);
  if (!saved) return report_error(saved.error(), output);
  std::optional<Error> problem;
  if (!service) {
    problem = service.error();
  } else if (std::optional<ipc::FrameClient>& client = *service) {
    ipc::Json arguments = {{"mode", guard::name(mode)}};
    if (level) arguments["level"] = name(*level);
    const auto answer = client->call("set_mode", arguments, service_limit);
    if (!answer) problem = answer.error();
  }
  if (problem && !alone) return report_error(*problem, output);
  if (problem) {
    output.err << "icelock: locked for your own browsers; the machine's mode stays: "
               << to_string(*problem) << '\n';
  }
  return run_status(root, output);
}

}  // namespace icelock::app
