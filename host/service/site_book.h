// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/sites.h"

namespace icelock::app {

/// The exceptions that users of this machine allowed, kept in one file of icelockd's own: each
/// change is on disk before it counts. While the service runs an exception ends by the clock that
/// nobody can set and that goes on through sleep; in the file its end is told by the wall clock. A
/// clock that was set back since cannot lengthen one: the file also tells when, by that clock, the
/// machine had started, and the difference is taken off. One thread.
class SiteBook {
 public:
  static constexpr std::size_t most_of_one = 100;  ///< exceptions of one user
  static constexpr std::size_t most = 500;         ///< of all together

  /// Milliseconds of CLOCK_BOOTTIME.
  using Time = std::chrono::milliseconds;

  struct Entry {
    uid_t uid = 0;
    policy::SiteException site;
    std::chrono::seconds granted{0};  ///< 0: until it is denied
    std::optional<Time> end;
  };

  /// Reads `file`; none is no exception. One that cannot be used is no exception either, and
  /// problem() says so until the next change, which keeps the broken file under another name.
  explicit SiteBook(std::filesystem::path file);

  static Time now();

  /// Grants, or replaces what this user had for this pattern; `length` 0: until denied. Errors:
  /// too_large above the limits, and those of writing; then nothing changed.
  Result<void> allow(uid_t uid, const policy::SiteException& site, std::chrono::seconds length);
  /// Takes away what `uid` (nullopt: anybody) allowed. Errors: not_found, not_permitted when only
  /// somebody else did; and those of writing: then it has ended all the same, and problem() says
  /// that it may come back with the next start.
  Result<void> deny(std::optional<uid_t> uid, std::string_view pattern);
  /// Those that ended, now taken out.
  std::vector<Entry> expire();
  /// Milliseconds until expire() has something to do; -1: never.
  int timeout() const;

  const std::vector<Entry>& entries() const { return entries_; }
  const std::optional<Error>& problem() const { return problem_; }

 private:
  Result<void> load();
  Result<void> save(const std::vector<Entry>& entries);
  Result<void> change(std::vector<Entry> entries, bool tightens);

  std::filesystem::path file_;
  std::vector<Entry> entries_;
  std::optional<Error> problem_;
  bool broken_ = false;  ///< what is in the file could not be understood
};

}  // namespace icelock::app
