// SPDX-License-Identifier: Apache-2.0
#include "app/live.h"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "app/runtime_folder.h"

namespace icelock::app {
namespace {

using std::chrono::milliseconds;

// Nothing should be missed between these, but a lost event must not leave a machine unlocked for
// long.
constexpr milliseconds safety_look{60'000};
constexpr milliseconds look_without_watch{2'000};
constexpr milliseconds retry_after_failure{1'000};

// A folder that is moved away or removed says so itself: another may take its place.
constexpr std::uint32_t settings_events = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                          IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

// The folder of `file`, because files are replaced by rename; while it is missing, the nearest one
// above it.
std::filesystem::path folder_to_watch(const std::filesystem::path& file) {
  auto folder = file.parent_path();
  std::error_code problem;
  while (folder.has_relative_path() && !std::filesystem::exists(folder, problem)) {
    folder = folder.parent_path();
  }
  return folder;
}

}  // namespace

Live::Live(guard::SettingsPaths paths, std::filesystem::path notes, net::Prober prober,
           const guard::Settings& settings)
    : paths_(std::move(paths)),
      notes_(std::move(notes)),
      prober_(std::move(prober)),
      guard_(settings, recall(notes_, settings.hold, guard::Clock::now())),
      noted_(guard_.memory()) {}

Result<Live> Live::open_for_user(const std::filesystem::path& root) {
  return open(guard::settings_paths(root), runtime_folder());
}

Result<Live> Live::open(guard::SettingsPaths paths, std::filesystem::path notes) {
  auto prober = TRY(net::Prober::open());
  const auto settings = guard::load_or_keep(paths, std::nullopt);
  Live live(std::move(paths), std::move(notes), std::move(prober), settings);
  // Subscribed before the first look, so that no change falls between the two.
  if (auto watch = net::Watch::open()) live.watch_ = std::move(*watch);
  live.watch_settings();
  live.look(false);
  live.reload_settings(false);  // for what was written between the first reading and the watch
  live.keep_notes();
  return live;
}

void Live::watch_settings() {
  if (!inotify_) inotify_ = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) return;
  for (const auto& file : {paths_.admin, paths_.user}) {
    // The kernel opens no longer path, and parting it would take minutes.
    if (file.empty() || file.native().size() >= PATH_MAX) continue;
    // Again when a folder came between the look and the watch: nothing will tell of that one.
    std::filesystem::path watched;
    for (auto next = folder_to_watch(file); watched != next; next = folder_to_watch(file)) {
      watched = next;
      ::inotify_add_watch(inotify_.get(), watched.c_str(), settings_events);
    }
  }
}

void Live::add_to(std::vector<pollfd>& fds) const {
  if (watch_) fds.push_back({watch_->fd(), POLLIN, 0});
  if (inotify_) fds.push_back({inotify_.get(), POLLIN, 0});
}

guard::Clock::time_point Live::next_look() const {
  milliseconds most = watch_ ? safety_look : look_without_watch;
  if (!state().network) most = std::min(most, retry_after_failure);
  const auto when = last_look_ + most;
  const auto due = guard_.due();
  return due ? std::min(when, guard::Clock::time_point(*due)) : when;
}

int Live::timeout(guard::Clock::time_point now) const {
  if (guard_.memory() != noted_) return 0;
  const auto left = std::chrono::ceil<milliseconds>(next_look() - now);
  return static_cast<int>(std::max(left, milliseconds(0)).count());
}

bool Live::handle() {
  bool changed = false;
  std::array<char, 4096> events;
  bool settings_touched = false;
  while (inotify_ && ::read(inotify_.get(), events.data(), events.size()) > 0) {
    settings_touched = true;
  }
  if (settings_touched) {
    watch_settings();
    changed = reload_settings(false);
  }
  const auto now = guard::Clock::now();
  if (now - last_reload_ >= safety_look) changed = reload_settings(false) || changed;
  if (watch_ && watch_->drain()) {
    changed = look(true) || changed;
  } else if (now >= next_look()) {
    changed = look(false) || changed;
  }
  if (!changed) keep_notes();
  return changed;
}

void Live::keep_notes() {
  if (guard_.memory() == noted_) return;
  noted_ = guard_.memory();
  remember(notes_, noted_);
}

bool Live::reload_settings(bool chosen) {
  last_reload_ = guard::Clock::now();
  auto settings = guard::load_or_keep(paths_, state().settings);
  const bool renames =
      settings.links != state().settings.links || settings.own_links != state().settings.own_links;
  const bool changed = guard_.set(std::move(settings), chosen, last_reload_);
  return renames ? look(false) || changed : changed;
}

bool Live::look(bool event) {
  const auto snapshot = prober_.snapshot();
  const auto now = guard::Clock::now();
  last_look_ = now;
  Result<net::Network> network = std::unexpected(Error{});
  std::optional<net::Network> by_user;
  const guard::Settings& settings = state().settings;
  if (snapshot) {
    network = net::classify(*snapshot, settings.links);
    if (!settings.own_links.empty()) by_user = net::classify(*snapshot, settings.all_links());
  } else {
    network = std::unexpected(snapshot.error());
  }
  return guard_.look(network, event, now, by_user);
}

}  // namespace icelock::app
