// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "guard/guard.h"
#include "guard/settings.h"
#include "net/probe.h"
#include "net/watch.h"

namespace icelock::app {

/// The guard joined to this machine: kernel events, fresh snapshots, settings files. For a poll
/// loop of one thread: add_to() before poll(), timeout() as its limit, handle() after it.
class Live {
 public:
  /// `notes`: the folder where the guard before this one left what it remembered, and where this
  /// one does. Error: probe_failed.
  static Result<Live> open(guard::SettingsPaths paths, std::filesystem::path notes);
  /// The guard of one user, for the programs that this user runs.
  static Result<Live> open_for_user(const std::filesystem::path& root);

  void add_to(std::vector<pollfd>& fds) const;
  /// Milliseconds until something is due; a minute at most, so that no lost event stays unseen.
  int timeout(guard::Clock::time_point now) const;
  /// Looks at whatever happened. True when state() changed. What has to be on disk for the guard
  /// after this one is written by the first call that finds nothing new, and timeout() asks for
  /// that call: a decision is told before it is noted.
  bool handle();

  /// Reads the settings files again, now. `chosen`: a person just wrote them through icelock. True
  /// when state() changed.
  bool reload_settings(bool chosen);

  const guard::State& state() const { return guard_.state(); }
  const guard::SettingsPaths& paths() const { return paths_; }

 private:
  Live(guard::SettingsPaths paths, std::filesystem::path notes, net::Prober prober,
       const guard::Settings& settings);
  void watch_settings();
  guard::Clock::time_point next_look() const;
  bool look(bool event);
  void keep_notes();

  guard::SettingsPaths paths_;
  std::filesystem::path notes_;
  net::Prober prober_;
  std::optional<net::Watch> watch_;
  Fd inotify_;
  guard::Guard guard_;
  guard::Memory noted_;  ///< what the notes say
  guard::Clock::time_point last_look_;
  guard::Clock::time_point last_reload_;
};

}  // namespace icelock::app
