// SPDX-License-Identifier: Apache-2.0
#include "service/policy_keeper.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/policy_work.h"

namespace icelock::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Chromium's watchers come up about four seconds after its start (measured; later on a machine
// under load), and until then it misses a change: config_dir_policy_loader.cc.
constexpr std::array repeat_after = {seconds(60), seconds(15), seconds(5), seconds(2)};
constexpr seconds check_interval{60};
constexpr milliseconds first_pause{500};
constexpr milliseconds longest_pause{60'000};
constexpr seconds patience{10};  // longer than any disk that works needs

int milliseconds_until(guard::Clock::time_point when, guard::Clock::time_point now) {
  const auto left = std::chrono::ceil<milliseconds>(when - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

std::string words_for(const std::vector<std::string>& files) {
  std::string words = "wrote";
  for (const std::string& file : files) words += " " + file;
  return words;
}

Result<void> put_in_place(const std::filesystem::path& root, const policy::Wanted& wanted,
                          const std::vector<std::string>& to_restore, const policy::Upkeep& upkeep,
                          std::vector<std::string>& files) {
  const auto note = [&](const policy::Plan& plan) {
    for (const policy::Change& change : plan.changes) {
      if (change.before != change.after) files.push_back(change.path.string());
    }
  };
  policy::Store store(root);
  const auto plan = TRY(store.plan(wanted, upkeep));
  TRY(store.apply(plan));
  note(plan);
  if (to_restore.empty()) return {};
  const auto restoration = TRY(store.plan_revert(to_restore));
  if (restoration.changes.empty()) return {};
  TRY(store.revert(restoration));
  note(restoration);
  return {};
}

}  // namespace

PolicyKeeper::PolicyKeeper(std::filesystem::path root, Worker& worker, Changed changed)
    : root_(std::move(root)), worker_(worker), changed_(std::move(changed)), pause_(first_pause) {}

void PolicyKeeper::follow(const guard::State& state) {
  Wish wish;
  wish.sites = state.settings.sites;
  wish.reporting = reporting_;
  if (state.settings.manage_policies) {
    wish = {.manages = true,
            .browsers = state.settings.browsers,
            .chromium = state.decision.chromium,
            .firefox = state.decision.firefox,
            .sites = state.settings.sites,
            .reporting = reporting_};
  }
  if (wish == wish_) return;
  wish_ = std::move(wish);
  repeats_.clear();
  start(false);
}

void PolicyKeeper::hear_from(const std::string& browser) {
  if (!reporting_.insert(browser).second || !wish_) return;
  wish_->reporting = reporting_;
  start(false);
}

int PolicyKeeper::timeout(Clock::time_point now) const {
  if (!wish_) return -1;
  if (busy_) return problem_ ? -1 : milliseconds_until(busy_since_ + patience, now);
  auto when = next_check_;
  if (!repeats_.empty()) when = when ? std::min(*when, repeats_.back()) : repeats_.back();
  return when ? milliseconds_until(*when, now) : -1;
}

void PolicyKeeper::handle(Clock::time_point now) {
  if (busy_ && !problem_ && now - busy_since_ >= patience) {
    problem_ =
        Error{Code::timeout, "writing takes very long; it is not known what the files say", ""};
    changed_("policy: " + to_string(*problem_), true);
  }
  if (!wish_ || busy_) return;
  const bool again = !repeats_.empty() && repeats_.back() <= now;
  if (again) repeats_.pop_back();
  if (again || (next_check_ && *next_check_ <= now)) start(again);
}

void PolicyKeeper::check() {
  if (wish_) start(false);
}

// Firefox has no neutral file: its policies.json is the admin's, and goes back to what it was.
Result<PolicyKeeper::Written> PolicyKeeper::write(const std::filesystem::path& root,
                                                  const Wish& wish, bool again) {
  policy::Wanted wanted;
  std::vector<std::string> to_restore;
  for (const policy::Browser& browser : policy::browsers()) {
    const auto stale =
        policy::Store(root).without_other_sites(browser, wish.sites).value_or(std::nullopt);
    if (stale) wanted[std::string(browser.id)] = *stale;
  }
  const auto managed = chosen_browsers(root, wish.browsers);
  if (!managed && (managed.error().code != Code::not_found || !wish.browsers.empty())) {
    return std::unexpected(managed.error());
  }
  for (const policy::Browser* browser : managed.value_or(std::vector<const policy::Browser*>())) {
    if (!wish.manages) break;
    const bool firefox = browser->family == BrowserFamily::firefox;
    const Level level = firefox ? wish.firefox : wish.chromium;
    if (firefox && level == Level::unrestricted) {
      if (policy::Store(root).installs_extension(*browser).value_or(false)) {
        wanted[std::string(browser->id)] = policy::WantedPolicy();
      } else {
        to_restore.emplace_back(browser->id);
      }
    } else {
      wanted[std::string(browser->id)] = {level, wish.sites};
    }
  }
  const policy::Upkeep upkeep{.service = true, .again = again, .reporting = wish.reporting};
  Written written;
  if (auto done = put_in_place(root, wanted, to_restore, upkeep, written); done) return written;
  // One browser's broken file must not keep the lock from the others.
  Result<void> failure;
  for (const auto& [id, policy] : wanted) {
    auto done = put_in_place(root, {{id, policy}}, {}, upkeep, written);
    // Nor may a lock wait for what is there for the extension's sake alone.
    auto alone = upkeep;
    alone.recommended = false;
    [[maybe_unused]] const auto lock =
        done ? done : put_in_place(root, {{id, policy}}, {}, alone, written);
    if (!done) failure = done;
  }
  if (auto done = put_in_place(root, {}, to_restore, upkeep, written); !done) failure = done;
  if (!failure) return std::unexpected(failure.error());
  return written;
}

void PolicyKeeper::start(bool again) {
  if (!wish_) return;
  if (busy_) {
    outdated_ = true;
    return;
  }
  busy_ = true;
  busy_since_ = Clock::now();
  const auto job = [this, root = root_, wish = *wish_, again]() -> Worker::Finish {
    auto result = write(root, wish, again);
    return [this, result = std::move(result), again] { finish(result, again); };
  };
  worker_.post(job, true);
}

void PolicyKeeper::finish(const Result<Written>& result, bool again) {
  busy_ = false;
  const auto now = Clock::now();
  if (!wish_) return;
  if (!result) {
    const bool news = problem_ != result.error();
    problem_ = result.error();
    next_check_ = now + pause_;
    pause_ = std::min(pause_ * 2, longest_pause);
    if (news) changed_("policy: " + to_string(result.error()), true);
  } else {
    const bool was_failing = std::exchange(problem_, std::nullopt).has_value();
    pause_ = first_pause;
    next_check_.reset();
    if (wish_->manages) next_check_ = now + check_interval;
    if (!result->empty() && !again) {
      repeats_.clear();
      for (const seconds after : repeat_after) repeats_.push_back(now + after);
    }
    if (!result->empty() || was_failing) changed_("policy: " + words_for(*result), false);
  }
  if (std::exchange(outdated_, false)) start(false);
}

}  // namespace icelock::app
