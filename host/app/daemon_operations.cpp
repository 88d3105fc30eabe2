// SPDX-License-Identifier: Apache-2.0
// What each operation does; who may ask for it is settled before (daemon.cpp).
#include <unistd.h>

#include <array>
#include <fstream>
#include <utility>

#include "app/audit_json.h"
#include "app/daemon.h"
#include "app/policy_work.h"
#include "app/requests.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using ipc::Json;

Result<std::vector<std::string>> browser_ids(const Json& body) {
  std::vector<std::string> ids;
  const auto list = body.find("browsers");
  if (list == body.end()) return ids;
  if (!list->is_array()) return fail(Code::bad_request, "must be a list of ids", "browsers");
  for (const Json& id : *list) {
    if (!id.is_string()) return fail(Code::bad_request, "must be a list of ids", "browsers");
    ids.push_back(id.get<std::string>());
  }
  return ids;
}

/// What the decision asks of each browser.
policy::Wanted by_decision(const std::vector<const policy::Browser*>& browsers,
                           const guard::Decision& decision) {
  policy::Wanted wanted;
  for (const policy::Browser* browser : browsers) {
    wanted[std::string(browser->id)] = decision.of(browser->family);
  }
  return wanted;
}

/// What icelockd decides, or what the ledger says that an admin applied, against what is there.
Result<Json> audited(const std::filesystem::path& root, bool manages,
                     const guard::Decision& decision) {
  std::optional<policy::Wanted> wanted;
  if (manages) {
    std::vector<const policy::Browser*> all;
    for (const policy::Browser& browser : policy::browsers()) {
      if (policy::is_installed(browser, root)) all.push_back(&browser);
    }
    wanted = by_decision(all, decision);
  }
  const auto audit = policy::audit(root, wanted);
  if (!audit) return std::unexpected(audit.error());
  return audit_json(*audit);
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

}  // namespace

void Daemon::do_status(const Call& call, const Done& done) {
  done(state_for(call.peer));
}

void Daemon::do_subscribe(const Call& call, const Done& done) {
  if (call.client) {
    Known& known = known_[*call.client];
    known.peer = call.peer;
    known.subscribed = true;
  }
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
  if (call.client) {
    Known& known = known_[*call.client];
    known.peer = call.peer;
    known.report = std::move(*report);
    told_.clear();
  }
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
  out.family("icelock_state_changes_total", "counter", "States told since the start.")
      .sample("", serial_);
  out.family("icelock_clients", "gauge", "Connections on the frames door.")
      .sample("", frames_->size());
  out.family("icelock_requests_total", "counter", "Requests on both doors.");
  for (const auto& [operation, count] : counters_) out.sample(label("op", operation), count);
  out.family("icelock_refusals_total", "counter", "Requests and clients that were refused.");
  for (const auto& [code, count] : refusals_) out.sample(label("code", code), count);
  out.family("process_resident_memory_bytes", "gauge", "Resident memory.")
      .sample("", resident_bytes());
  done(Json{{"text", out.text()}});
}

// Anybody may ask, so one look at the disk answers all who ask meanwhile.
void Daemon::do_audit(const Call&, const Done& done) {
  audits_.push_back(done);
  if (audits_.size() > 1) return;
  worker_.post([this, root = options_.root, manages = keeper_.manages(),
                decision = live_.state().decision]() -> Worker::Finish {
    return [this, answer = audited(root, manages, decision)] {
      for (const Done& waiting : std::exchange(audits_, {})) waiting(answer);
    };
  });
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

void Daemon::in_background(const Call& call, const Done& done, PolicyJob job) {
  auto ids = browser_ids(call.body);
  if (!ids) return done(std::unexpected(ids.error()));
  const auto level = level_field(call.body, "level");
  if (!level) return done(std::unexpected(level.error()));
  const PolicyOrder order{options_.root, std::move(*ids), *level, keeper_.manages(),
                          live_.state().decision};
  worker_.post([order, job = std::move(job), done]() -> Worker::Finish {
    auto outcome = job(order);
    return [outcome = std::move(outcome), done] {
      if (!outcome) return done(std::unexpected(outcome.error()));
      done(outcome_json(*outcome));
    };
  });
}

Result<policy::Wanted> Daemon::PolicyOrder::wanted() const {
  const auto browsers = chosen_browsers(root, ids);
  if (!browsers) return std::unexpected(browsers.error());
  if (manages && !level) return by_decision(*browsers, decision);
  return same_level(*browsers, level.value_or(Level::force_proxy));
}

void Daemon::do_plan(const Call& call, const Done& done) {
  in_background(call, done, [](const PolicyOrder& order) -> Result<Outcome> {
    const auto wanted = order.wanted();
    if (!wanted) return std::unexpected(wanted.error());
    auto plan = policy::Store(order.root).plan(*wanted, {.service = order.manages, .again = false});
    if (!plan) return std::unexpected(plan.error());
    return Outcome{std::move(*plan), false, {}};
  });
}

bool Daemon::refuse_when_managed(const Done& done) const {
  if (!keeper_.manages()) return false;
  done(fail(Code::busy, "icelockd manages the policies itself",
            "manage_policies in /etc/icelock/icelock.json"));
  return true;
}

void Daemon::do_apply(const Call& call, const Done& done) {
  if (refuse_when_managed(done)) return;
  in_background(call, done, [](const PolicyOrder& order) -> Result<Outcome> {
    const auto wanted = order.wanted();
    if (!wanted) return std::unexpected(wanted.error());
    return apply_policies(order.root, *wanted);
  });
}

void Daemon::do_revert(const Call& call, const Done& done) {
  if (refuse_when_managed(done)) return;
  in_background(call, done,
                [](const PolicyOrder& order) { return revert_policies(order.root, order.ids); });
}

}  // namespace icelock::app
