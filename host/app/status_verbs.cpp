// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <ostream>

#include "app/live.h"
#include "app/machine_link.h"
#include "app/state_json.h"
#include "app/verbs.h"

namespace icelock::app {
namespace {

constexpr int label_width = 10;
constexpr std::chrono::seconds service_limit{5};

std::string in_words(const net::FamilyState& family, std::string_view word) {
  std::string text(word);
  switch (family.verdict) {
    case net::Verdict::direct:
      return text + " goes out directly over " + family.link;
    case net::Verdict::tunnel:
      return text + " goes through VPN " + family.link;
    case net::Verdict::ipsec:
      return text + " goes through IPsec over " + family.link;
    case net::Verdict::partial:
      return text + " goes partly through a VPN, partly past it" +
             (family.link.empty() ? "" : " over " + family.link);
    case net::Verdict::blocked:
      return text + " is blocked";
    case net::Verdict::none:
      break;
  }
  return text + " is not there";
}

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

std::string painted(Level level, bool colour) {
  std::string text(name(level));
  if (!colour) return text;
  return (level == Level::unrestricted ? "\x1b[33m" : "\x1b[32m") + text + "\x1b[0m";
}

void print_row(std::ostream& out, std::string_view label, std::string_view text) {
  out << std::left << std::setw(label_width) << label << text << '\n';
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
      : live(std::move(own)), link(service_socket(root)) {
    link.handle(guard::Clock::now());
  }

  guard::State state() const { return joined(live.state(), link.word()); }
};

void print_state(const Sight& sight, const std::filesystem::path& root, const Output& output) {
  const guard::State state = sight.state();
  const auto browsers = browser_statuses(root, state, present_reports(), false);
  std::ostream& out = output.out;
  if (output.json) {
    ipc::Json json = state_json(state, browsers);
    json["service"] = {{"present", sight.link.word().present}};
    json["sites"] = sites_json(sight.link.word());
    out << json.dump(-1, ' ', false, ipc::Json::error_handler_t::replace) << '\n' << std::flush;
    return;
  }
  if (state.network) {
    print_row(out, "Network", in_words(state.network->ipv4, "IPv4"));
    print_row(out, "", in_words(state.network->ipv6, "IPv6"));
    for (const net::Tunnel& tunnel : state.network->tunnels) {
      print_row(out, "VPN",
                tunnel.link + " (" + tunnel.kind + "): IPv4 " + std::string(name(tunnel.ipv4)) +
                    ", IPv6 " + std::string(name(tunnel.ipv6)));
    }
  } else {
    print_row(out, "Network", "could not be read");
  }
  print_row(out, "Mode", guard::name(state.settings.mode));
  print_row(out, "Decision",
            "Chromium family " + painted(state.decision.chromium, output.colour) + ", Firefox " +
                painted(state.decision.firefox, output.colour));
  std::string_view label = "Why";
  for (const guard::Reason& reason : state.decision.reasons) {
    print_row(out, std::exchange(label, ""), reason.text);
  }
  label = "Browsers";
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

int report_error(const Error& error, const Output& output) {
  if (output.json) {
    const ipc::Json json = {{"v", ipc::protocol_version},
                            {"ok", false},
                            {"code", info(error.code).name},
                            {"what", error.what},
                            {"object", error.object}};
    output.out << json.dump(-1, ' ', false, ipc::Json::error_handler_t::replace) << '\n';
  }
  output.err << "icelock: " << to_string(error) << " [" << info(error.code).name << "]\n";
  return info(error.code).exit_code;
}

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
  const auto saved = guard::save_mode(guard::settings_paths(root), mode, level);
  if (!saved) return report_error(saved.error(), output);
  if (auto service = ipc::FrameClient::connect(service_socket(root))) {
    ipc::Json arguments = {{"mode", guard::name(mode)}};
    if (level) arguments["level"] = name(*level);
    const auto answer = service->call("set_mode", arguments, service_limit);
    // One's own lock holds without the machine; anything looser needs it.
    if (!answer && mode != guard::Mode::locked) return report_error(answer.error(), output);
    if (!answer) {
      output.err << "icelock: locked for your own browsers; the machine's mode stays: "
                 << to_string(answer.error()) << '\n';
    }
  }
  return run_status(root, output);
}

}  // namespace icelock::app
