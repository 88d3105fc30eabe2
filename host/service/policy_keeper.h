// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/worker.h"
#include "guard/guard.h"

namespace icelock::app {

/// Keeps the browsers' policy files in step with the guard's decision, when the admin's settings
/// say so ("manage_policies"). What cannot be written is tried again; what somebody else changed is
/// put right within a minute; writing that does not end, as on a dead network disk, is said. The
/// files themselves are never taken back here: what is installed stays when the service stops, and
/// is adopted by the next one. Only exceptions for sites are taken out of files that the service
/// wrote and no longer manages: nobody would end them there. One thread; the writing happens on the
/// worker's.
class PolicyKeeper {
 public:
  using Clock = guard::Clock;
  /// Called when files were written or a failure began or ended; the words are for the log.
  using Changed = std::function<void(const std::string& words, bool failed)>;

  /// `worker` must outlive this.
  PolicyKeeper(std::filesystem::path root, Worker& worker, Changed changed);

  /// The guard has decided anew.
  void follow(const guard::State& state);
  /// icelock's extension reports from this browser: see policy::Upkeep.
  void hear_from(const std::string& browser);
  const std::set<std::string>& reporting() const { return reporting_; }
  /// Milliseconds until handle() is due; -1: nothing to do.
  int timeout(Clock::time_point now) const;
  void handle(Clock::time_point now);
  /// Looks at the files now.
  void check();

  /// Whether files are being written, or are about to be.
  bool busy() const { return busy_; }

  /// Whether the settings let icelockd manage policies.
  bool manages() const { return wish_ && wish_->manages; }
  /// Why the files are not as they should be, while they are not.
  const std::optional<Error>& problem() const { return problem_; }

 private:
  struct Wish {
    bool manages = false;
    std::vector<std::string> browsers;  ///< ids; empty: all that are installed
    Level chromium = Level::force_proxy;
    Level firefox = Level::force_proxy;
    std::vector<policy::SiteException> sites;
    std::set<std::string> reporting;
    bool operator==(const Wish&) const = default;
  };
  using Written = std::vector<std::string>;  ///< files

  static Result<Written> write(const std::filesystem::path& root, const Wish& wish, bool again);
  void start(bool again);
  void finish(const Result<Written>& result, bool again);

  std::filesystem::path root_;
  Worker& worker_;
  Changed changed_;
  std::optional<Wish> wish_;
  std::set<std::string> reporting_;  ///< since this one started; a browser that closed comes again
  bool busy_ = false;
  Clock::time_point busy_since_;
  bool outdated_ = false;  ///< the wish changed while the worker was at the one before
  std::optional<Error> problem_;
  std::chrono::milliseconds pause_;
  std::optional<Clock::time_point> next_check_;
  std::vector<Clock::time_point> repeats_;  ///< the next one last
};

}  // namespace icelock::app
