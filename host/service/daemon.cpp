// SPDX-License-Identifier: Apache-2.0
#include "service/daemon.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/requests.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::size_t frames_number = 0;
constexpr std::size_t http_number = 1;

std::string words_for(Level level) {
  return std::string(name(level));
}

}  // namespace

Daemon::Daemon(Options options, Live live)
    : options_(std::move(options)),
      live_(std::move(live)),
      sites_(options_.root / "var/lib/icelock/sites.json"),
      keeper_(options_.root, worker_, [this](const std::string& words, bool failed) {
        options_.log(words, failed);
        state_changed();
      }) {}

Result<std::unique_ptr<Daemon>> Daemon::open(Options options) {
  // The machine's own mode is kept like a user's, in the daemon's folder.
  auto live = TRY(Live::open({.admin = options.root / "etc/icelock/icelock.json",
                              .user = options.root / "var/lib/icelock/mode.json",
                              .kept = options.root / "var/lib/icelock/settings.json"},
                             options.root / "run/icelock"));
  Fd frames = std::move(options.frames);
  Fd http = std::move(options.http);
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options), std::move(live)));
  TRY(daemon->open_doors(std::move(frames), std::move(http)));
  daemon->state_changed();
  return daemon;
}

Result<void> Daemon::open_doors(Fd frames, Fd http) {
  std::vector<ipc::Door> doors;  // as frames_number and http_number have them
  doors.push_back(ipc::frames_door(std::move(frames)));
  doors.push_back(ipc::http_door(std::move(http)));
  auto server = TRY(ipc::Server::open(
      std::move(doors),
      {.request =
           [this](ipc::Server::Client client, const ipc::Peer& peer,
                  const ipc::Operation& operation, Json body, std::stop_token left) {
             run_operation(
                 operation, {peer, client, std::move(body), std::move(left)},
                 [this, client](const Result<Json>& result) { server_->answer(client, result); });
           },
       .gone = [this](ipc::Server::Client client) { known_.erase(client); },
       .refused = [this](const ipc::Peer& peer, const Error& error) { refused(peer, error); }}));
  server_ = std::move(server);
  return {};
}

void Daemon::add_to(std::vector<pollfd>& fds) const {
  live_.add_to(fds);
  for (const int fd : {server_->fd(), worker_.fd(), reader_.fd()}) {
    fds.push_back({fd, POLLIN, 0});
  }
}

int Daemon::timeout(guard::Clock::time_point now) const {
  int least = live_.timeout(now);
  for (const int other : {server_->timeout(now), keeper_.timeout(now), sites_.timeout()}) {
    if (other >= 0) least = std::min(least, other);
  }
  return least;
}

void Daemon::handle() {
  const auto now = guard::Clock::now();
  // The network first: a tunnel that just came up must not wait behind a request.
  if (live_.handle()) state_changed();
  const auto ended = sites_.expire();
  for (const SiteBook::Entry& entry : ended) {
    options_.log("the exception for " + entry.site.pattern + " ended, allowed by uid " +
                     std::to_string(entry.uid),
                 false);
  }
  if (!ended.empty()) state_changed();
  worker_.run_finished();
  reader_.run_finished();
  keeper_.handle(now);
  server_->handle(now);
}

void Daemon::reload() {
  if (live_.reload_settings(false)) state_changed();
  keeper_.check();
}

Result<void> Daemon::move_doors(Fd frames, Fd http) {
  TRY(server_->move_door(frames_number, std::move(frames)));
  return server_->move_door(http_number, std::move(http));
}

void Daemon::settle(std::chrono::milliseconds limit) {
  const auto until = guard::Clock::now() + limit;
  while (keeper_.busy()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - guard::Clock::now()).count();
    if (left <= 0) return;
    pollfd done{worker_.fd(), POLLIN, 0};
    ::poll(&done, 1, static_cast<int>(left));
    worker_.run_finished();
  }
}

std::string Daemon::summary() const {
  const auto& state = live_.state();
  std::string text = "Chromium family " + words_for(state.decision.chromium) + ", Firefox " +
                     words_for(state.decision.firefox);
  if (state.settings.problem) text += "; SETTINGS: " + to_string(*state.settings.problem);
  if (const auto& problem = keeper_.problem()) text += "; POLICY: " + to_string(*problem);
  if (const auto& problem = sites_.problem()) text += "; SITES: " + to_string(*problem);
  return text;
}

void Daemon::run_operation(const ipc::Operation& operation, const Call& call, const Done& done) {
  static constexpr std::array table = {
      Row{"status", &Daemon::do_status},   Row{"subscribe", &Daemon::do_subscribe},
      Row{"report", &Daemon::do_report},   Row{"metrics", &Daemon::do_metrics},
      Row{"audit", &Daemon::do_audit},     Row{"set_mode", &Daemon::do_set_mode},
      Row{"plan", &Daemon::do_plan},       Row{"apply", &Daemon::do_apply},
      Row{"revert", &Daemon::do_revert},   Row{"sites", &Daemon::do_sites},
      Row{"allow", &Daemon::do_allow},     Row{"deny", &Daemon::do_deny},
      Row{"history", &Daemon::do_history},
  };
  ++counters_[std::string(operation.name)];
  const auto refuse = [&](Error error) {
    refused(call.peer, error);
    done(std::unexpected(std::move(error)));
  };
  if (right_of(call.peer, options_.group) < operation.right) {
    return refuse({Code::not_permitted,
                   operation.right == ipc::Right::mode
                       ? "only root and members of the group icelock may do this"
                       : "only root may do this",
                   std::string(operation.name)});
  }
  const auto* row = std::ranges::find(table, operation.name, &Row::name);
  if (row == table.end())
    return refuse({Code::internal, "not served", std::string(operation.name)});
  (this->*row->handler)(call, [this, peer = call.peer, done](const Result<Json>& result) {
    if (!result) refused(peer, result.error());
    done(result);
  });
}

void Daemon::refused(const ipc::Peer& peer, const Error& error) {
  ++refusals_[std::string(info(error.code).name)];
  const auto left_out = refusal_log_.count(guard::Clock::now());
  if (!left_out) return;
  if (*left_out > 0) {
    options_.log(std::to_string(*left_out) + " refusals more are not listed here", false);
  }
  options_.log("refused " + describe(peer) + ": " + to_string(error) + " [" +
                   std::string(info(error.code).name) + "]",
               false);
}

// Who locks comes first, and what only the next start needs comes last.
void Daemon::state_changed() {
  ++serial_;
  files_.clear();
  keeper_.follow(machine_state());
  push_state();
  keep_settings();
}

// A start with a broken file must not loosen what this one manages.
void Daemon::keep_settings() {
  const guard::Settings& settings = live_.state().settings;
  if (kept_ == settings.admins) return;
  if (auto kept = guard::keep_for_a_start(live_.paths(), settings); !kept) {
    return options_.log("the settings cannot be kept: " + to_string(kept.error()), true);
  }
  kept_ = settings.admins;
}

guard::State Daemon::machine_state() const {
  guard::State state = live_.state();
  state.serial = serial_;
  if (!state.settings.manage_policies) return state;
  for (const SiteBook::Entry& entry : sites_.entries()) {
    if (entry.site.level >= least_level()) state.settings.sites.push_back(entry.site);
  }
  return state;
}

// Users differ in nothing but the browsers and the sites that they are told of.
void Daemon::push_state() {
  std::map<uid_t, std::vector<ipc::Server::Client>> subscribers;
  for (const auto& [client, known] : known_) {
    if (known.subscribed) subscribers[ipc::user_of(known.peer)].push_back(client);
  }
  for (const auto& [user, clients] : subscribers) {
    server_->push(clients, "state", state_for(known_.at(clients.front()).peer));
  }
}

std::vector<Report> Daemon::reports_for(const ipc::Peer& peer) const {
  std::vector<Report> reports;
  for (const auto& [client, known] : known_) {
    if (!known.report) continue;
    if (peer.uid == uid_t{0} || known.peer.uid == peer.uid) reports.push_back(*known.report);
  }
  return reports;
}

Json Daemon::full_state_for(const ipc::Peer& peer, const std::vector<BrowserFiles>& files) const {
  Json told = state_for(peer);
  told["state"]["browsers"] =
      browsers_json(browser_statuses(files, machine_state(), reports_for(peer), false));
  return told;
}

Json Daemon::state_for(const ipc::Peer& peer) const {
  guard::State state = machine_state();
  if (const auto& problem = sites_.problem()) {
    const std::string error = to_string(*problem);
    state.decision.reasons.push_back(
        {"sites_broken",
         "Exceptions for sites that cannot be read or kept are not in force: " + error,
         {{"error", error}}});
  }
  if (const auto& problem = keeper_.problem()) {
    const std::string error = to_string(*problem);
    state.decision.reasons.push_back(
        {"policy_failed", "Browser policy could not be written: " + error, {{"error", error}}});
  }
  Json json = state_json(state);
  json["service"] = {{"present", true}, {"manages_policies", keeper_.manages()}};
  json["sites"] = {{"possible", sites_possible()},
                   {"list", site_list(peer)},
                   {"granted", sites_json(state.settings.sites)}};
  return {{"serial", serial_}, {"state", std::move(json)}};
}

}  // namespace icelock::app
