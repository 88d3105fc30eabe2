// SPDX-License-Identifier: Apache-2.0
// What each operation does; who may ask for it is settled before (daemon.cpp).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "app/audit_json.h"
#include "app/policy_work.h"
#include "app/requests.h"
#include "policy/browsers.h"
#include "service/daemon.h"

namespace icelock::app {
namespace {

using ipc::Json;

/// What the decision asks of each browser.
policy::Wanted by_decision(const std::vector<const policy::Browser*>& browsers,
                           const guard::Decision& decision,
                           const std::vector<policy::SiteException>& sites) {
  policy::Wanted wanted;
  for (const policy::Browser* browser : browsers) {
    wanted[std::string(browser->id)] = {decision.of(browser->family), sites};
  }
  return wanted;
}

/// What icelockd decides, or what the ledger says that an admin applied, against what is there.
Result<Json> audited(const std::filesystem::path& root, bool manages,
                     const guard::Decision& decision, const guard::Settings& settings) {
  std::optional<policy::Wanted> wanted;
  if (manages) {
    const auto managed = chosen_browsers(root, settings.browsers);  // an error: none is there
    wanted = managed ? by_decision(*managed, decision, settings.sites) : policy::Wanted();
  }
  const auto audit = TRY(audit_machine(root, wanted));
  return audit_json(audit);
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Prometheus' text format: a type line, then samples.
class MetricsText {
 public:
  MetricsText& family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
             std::string(type) + "\n";
    return *this;
  }
  MetricsText& sample(const std::string& labels, std::uint64_t value) {
    text_ +=
        name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value) + "\n";
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

std::string label(std::string_view key, std::string_view value) {
  return std::string(key) + "=\"" + std::string(value) + "\"";
}

Result<Json> history(const std::filesystem::path& root) {
  const auto history = TRY(policy::read_history(root));
  return history_json(history);
}

auto same_for_all(Result<Json> found) {
  return [found = std::make_shared<const Result<Json>>(std::move(found))](const ipc::Peer&) {
    return *found;
  };
}

// What others did to policy files shows in the state this late.
constexpr std::chrono::seconds files_hold{1};

}  // namespace

void Daemon::do_status(const Call& call, const Done& done) {
  if (!files_.empty() && guard::Clock::now() - files_read_ <= files_hold) {
    return done(full_state_for(call.peer, files_));
  }
  look(status_, call, done,
       [this, root = options_.root, sites = machine_state().settings.sites,
        serial = serial_]() -> Found {
         auto files =
             std::make_shared<const std::vector<BrowserFiles>>(read_browser_files(root, sites));
         return [this, serial, files](const ipc::Peer& peer) {
           if (serial == serial_ && files_.empty()) {
             files_ = *files;
             files_read_ = guard::Clock::now();
           }
           return full_state_for(peer, *files);
         };
       });
}

void Daemon::do_subscribe(const Call& call, const Done& done) {
  Known& known = known_[call.client];
  known.peer = call.peer;
  known.subscribed = true;
  done(state_for(call.peer));
}

void Daemon::do_report(const Call& call, const Done& done) {
  auto report = parse_report(call.body);
  if (!report) return done(std::unexpected(report.error()));
  const auto browser = ipc::string_field(call.body, "browser");
  if (!browser) return done(std::unexpected(browser.error()));
  if (policy::find_browser(*browser) == nullptr) {
    return done(fail(Code::bad_request, "no such browser", "browser"));
  }
  report->browser = *browser;
  Known& known = known_[call.client];
  known.peer = call.peer;
  known.report = std::move(*report);
  keeper_.hear_from(*browser);
  done(Json::object());
}

void Daemon::do_metrics(const Call&, const Done& done) {
  const guard::State& state = live_.state();
  MetricsText out;
  out.family("icelock_level", "gauge",
             "Decided level: 0 unrestricted, 1 default_route_only, 2 force_proxy, 3 disabled.");
  for (const auto family : {BrowserFamily::chromium, BrowserFamily::firefox}) {
    out.sample(label("family", name(family)),
               static_cast<std::uint64_t>(state.decision.of(family)));
  }
  out.family("icelock_tunnels", "gauge", "VPN tunnels that are up.")
      .sample("", state.network ? state.network->tunnels.size() : 0);
  out.family("icelock_network_readable", "gauge", "1 when the network could be read.")
      .sample("", state.network ? 1 : 0);
  out.family("icelock_settings_broken", "gauge", "1 when a settings file is wrong.")
      .sample("", state.settings.problem ? 1 : 0);
  out.family("icelock_policy_failed", "gauge", "1 when browser policy could not be written.")
      .sample("", keeper_.problem() ? 1 : 0);
  out.family("icelock_site_exceptions", "gauge", "Exceptions for sites, by who allowed them.")
      .sample(label("by", "admin"), state.settings.sites.size())
      .sample(label("by", "users"), sites_.entries().size());
  out.family("icelock_sites_broken", "gauge", "1 when the users' exceptions cannot be kept.")
      .sample("", sites_.problem() ? 1 : 0);
  out.family("icelock_state_changes_total", "counter", "States told since the start.")
      .sample("", serial_);
  out.family("icelock_clients", "gauge", "Connections on both doors.").sample("", server_->size());
  out.family("icelock_requests_total", "counter", "Requests on both doors.");
  for (const auto& [operation, count] : counters_) out.sample(label("op", operation), count);
  out.family("icelock_refusals_total", "counter", "Requests and clients that were refused.");
  for (const auto& [code, count] : refusals_) out.sample(label("code", code), count);
  out.family("process_resident_memory_bytes", "gauge", "Resident memory.")
      .sample("", resident_bytes());
  done(Json{{"text", out.text()}});
}

void Daemon::look(Look& look, const Call& call, const Done& done, std::function<Found()> read) {
  look.waiting.push_back({call.peer, call.left, done});
  if (look.waiting.size() > 1) return;
  reader_.post([this, &look, read = std::move(read)]() -> Worker::Finish {
    return [this, &look, found = read()] {
      for (Look::Asker& asker : std::exchange(look.waiting, {})) {
        if (asker.left.stop_requested()) continue;
        reader_.later([found, asker = std::move(asker)] { asker.done(found(asker.peer)); });
      }
    };
  });
}

void Daemon::do_audit(const Call& call, const Done& done) {
  look(audit_, call, done,
       [root = options_.root, manages = keeper_.manages(), state = machine_state()] {
         return same_for_all(audited(root, manages, state.decision, state.settings));
       });
}

void Daemon::do_history(const Call& call, const Done& done) {
  look(history_, call, done, [root = options_.root] { return same_for_all(history(root)); });
}

void Daemon::do_set_mode(const Call& call, const Done& done) {
  const auto wish = parse_mode_request(call.body);
  if (!wish) return done(std::unexpected(wish.error()));
  if (auto saved = guard::save_mode(live_.paths(), wish->mode, wish->level); !saved) {
    return done(std::unexpected(saved.error()));
  }
  options_.log("mode " + std::string(guard::name(wish->mode)) + ", said " + describe(call.peer),
               false);
  if (live_.reload_settings(true)) state_changed();
  done(state_for(call.peer));
}

Level Daemon::least_level() const {
  const guard::Settings& settings = live_.state().settings;
  const bool admins_lock = settings.mode_fixed && settings.mode == guard::Mode::locked;
  return admins_lock ? std::max(settings.floor, settings.mode_level) : settings.floor;
}

bool Daemon::sites_possible() const {
  if (!keeper_.manages()) return false;
  const auto browsers = chosen_browsers(options_.root, live_.state().settings.browsers);
  return browsers && std::ranges::any_of(*browsers, [](const policy::Browser* browser) {
           return browser->family == BrowserFamily::chromium;
         });
}

Json Daemon::site_list(const ipc::Peer& peer) const {
  Json list = Json::array();
  const auto add = [&](const policy::SiteException& site, const Json& left, std::string_view by) {
    list.push_back({{"pattern", site.pattern},
                    {"level", name(site.level)},
                    {"seconds_left", left},
                    {"by", by}});
  };
  for (const auto& site : live_.state().settings.sites) add(site, nullptr, "admin");
  for (const SiteBook::Entry& entry : sites_.entries()) {
    const bool own = peer.uid == entry.uid;
    if (!own && entry.uid != 0 && peer.uid != uid_t{0}) continue;
    Json left;
    if (entry.end)
      left = std::chrono::ceil<std::chrono::seconds>(*entry.end - SiteBook::now()).count();
    add(entry.site, left, own ? "you" : entry.uid == 0 ? "admin" : "other");
  }
  return list;
}

void Daemon::do_sites(const Call& call, const Done& done) {
  done(Json{{"sites", site_list(call.peer)}, {"possible", sites_possible()}});
}

void Daemon::do_allow(const Call& call, const Done& done) {
  const auto wish = parse_allow_request(call.body);
  if (!wish) return done(std::unexpected(wish.error()));
  if (!sites_possible()) {
    return done(
        fail(Code::unavailable,
             "exceptions need the service to manage the policy of a Chromium-family browser",
             "manage_policies in /etc/icelock/icelock.json"));
  }
  if (wish->site.level < least_level()) {
    return done(fail(Code::below_floor, "looser than the admin allows",
                     std::string(name(wish->site.level))));
  }
  if (!call.peer.uid) return done(fail(Code::not_permitted, "nobody knows who you are"));
  if (auto kept = sites_.allow(*call.peer.uid, wish->site, wish->length); !kept) {
    return done(std::unexpected(kept.error()));
  }
  const auto length = wish->length.count();
  options_.log("exception for " + wish->site.pattern + " at " +
                   std::string(name(wish->site.level)) +
                   (length == 0 ? "" : " for " + std::to_string(length) + " s") + ", allowed by " +
                   describe(call.peer),
               false);
  state_changed();
  done(state_for(call.peer));
}

void Daemon::do_deny(const Call& call, const Done& done) {
  const auto pattern = pattern_field(call.body);
  if (!pattern) return done(std::unexpected(pattern.error()));
  const bool root = call.peer.uid == uid_t{0};
  const std::size_t before = sites_.entries().size();
  const auto denied = sites_.deny(root ? std::nullopt : call.peer.uid, *pattern);
  if (sites_.entries().size() < before) {
    options_.log("exception for " + *pattern + " denied by " + describe(call.peer), false);
    state_changed();
  }
  const auto& admins = live_.state().settings.sites;
  if (!denied && denied.error().code == Code::not_found &&
      std::ranges::find(admins, *pattern, &policy::SiteException::pattern) != admins.end()) {
    return done(fail(Code::not_permitted,
                     "it stands in /etc/icelock/icelock.json and is changed there", *pattern));
  }
  if (!denied) return done(std::unexpected(denied.error()));
  done(state_for(call.peer));
}

void Daemon::in_background(const Call& call, const Done& done, PolicyJob job) {
  auto wish = wish_field(call.body);
  if (!wish) return done(std::unexpected(wish.error()));
  const auto fingerprint = call.body.value("fingerprint", Json(""));
  if (!fingerprint.is_string())
    return done(fail(Code::bad_request, "must be a text", "fingerprint"));
  auto asked = asked_field(call.body, call.peer.uid.value_or(static_cast<uid_t>(-1)));
  if (!asked) return done(std::unexpected(asked.error()));
  const PolicyOrder order{.root = options_.root,
                          .wish = std::move(*wish),
                          .fingerprint = fingerprint.get<std::string>(),
                          .asked = std::move(*asked),
                          .manages = keeper_.manages(),
                          .reporting = keeper_.reporting(),
                          .decision = live_.state().decision,
                          .sites = machine_state().settings.sites};
  worker_.post([order, job = std::move(job), done, left = call.left]() -> Worker::Finish {
    if (left.stop_requested()) return {};
    auto outcome = job(order);
    return [outcome = std::move(outcome), done] {
      if (!outcome) return done(std::unexpected(outcome.error()));
      done(outcome_json(*outcome));
    };
  });
}

Result<policy::Wanted> Daemon::PolicyOrder::wanted() const {
  if (!manages || wish.level || wish.document) return app::wanted(root, wish);
  const auto browsers = TRY(chosen_browsers(root, wish.browsers));
  return by_decision(browsers, decision, sites);
}

void Daemon::do_plan(const Call& call, const Done& done) {
  in_background(call, done, [](const PolicyOrder& order) -> Result<Outcome> {
    const auto wanted = TRY(order.wanted());
    auto plan =
        TRY(make_plan(order.root, wanted,
                      {.service = order.manages, .again = false, .reporting = order.reporting}));
    return Outcome{std::move(plan), false, {}, {}};
  });
}

void Daemon::do_apply(const Call& call, const Done& done) {
  in_background(call, done, [](const PolicyOrder& order) -> Result<Outcome> {
    const auto found = order.wanted();
    if (order.manages) TRY(check_unmanaged(found));
    const auto wanted = TRY(found);
    return apply_policies(order.root, wanted, order.asked, order.fingerprint);
  });
}

void Daemon::do_revert(const Call& call, const Done& done) {
  in_background(call, done, [](const PolicyOrder& order) -> Result<Outcome> {
    policy::Wanted named;
    for (const std::string& id : order.wish.browsers) named[id];
    if (order.manages) TRY(check_unmanaged(named));
    return revert_policies(order.root, order.wish.browsers, order.asked);
  });
}

}  // namespace icelock::app
