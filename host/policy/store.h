// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "policy/browsers.h"
#include "policy/sites.h"

// The only writer of browser policy. Every path lies below one root ("/" or the --root of a test or
// image).
//
// Safety: each folder from the root down is opened without following symlinks and must belong to
// root or to the caller and be writable by nobody else (a sticky bit is no excuse); a file is
// staged outside the folder that the browser watches (Chromium parses every file in it), fsynced,
// renamed in, and the folders are fsynced. The ledger, which says what was there before, is on disk
// before the first policy file changes, so that whatever a killed icelock left is adopted by the
// next apply or revert. Not kept when a file that was there is replaced and restored: hard links,
// extended attributes and access-control lists; a folder's own modification time is not restored
// either.
//
// Files are readable for everybody, and folders that icelock makes are 0755, whatever the umask is:
// a file that the browser's user cannot read fails open. A file that was there keeps its owner.
//
// One thread at a time per Store; between processes the ledger's lock decides.

namespace icelock::policy {

/// One key as the browser would see it.
struct KeyChange {
  std::string key;     ///< "WebRtcIPHandling", "media.peerconnection.ice.proxy_only"
  std::string before;  ///< JSON text in force now (from whichever file wins); empty: not set
  std::string after;   ///< JSON text that would be in force; empty: not set
};

struct Change {
  enum class Kind { none, create, replace, remove };
  std::string browser;         ///< id
  std::filesystem::path path;  ///< absolute, root included
  Kind kind = Kind::none;
  std::string before;  ///< the file's bytes now
  std::string after;   ///< the file's bytes to be
  std::vector<KeyChange> keys;
  /// What a person must know: who else sets a key and who wins, a restart that Firefox needs, a
  /// level that the browser does not have.
  std::vector<std::string> notes;
};

/// What becomes of a file that is this now.
template <class T>
Change::Kind kind_of(const std::optional<T>& before, const std::optional<T>& after) {
  if (before == after) return Change::Kind::none;
  if (!before) return Change::Kind::create;
  return after ? Change::Kind::replace : Change::Kind::remove;
}

/// For a service that stays and keeps the files in step with the network. Its Chromium files carry
/// one fixed old modification time, which lets a running browser obey at once instead of after five
/// seconds (async_policy_loader.cc waits for the newest time to settle). The price: a change that
/// falls into a browser's first seconds is not seen, so the service has to repeat it.
/// `unrestricted` is said by a file without a policy, so that the extension stays free to lock.
///
/// default_route_only is said in a way that the extension can still tighten, for the time when the
/// network changes and no service is there to write: to Firefox as defaults, to the Chromium family
/// in recommended/. There only where an extension reports, or did when icelock's file there was
/// made: other browsers keep it as a mandatory policy. In Edge only while one reports, because a
/// running Edge takes up no recommended level by itself.
struct Upkeep {
  bool service = false;
  bool again = false;  ///< Chromium files that are as they should be are put in place once more
  /// Ids of browsers in which icelock's extension reports.
  std::set<std::string> reporting = {};  // NOLINT(readability-redundant-member-init)
  bool recommended = true;               ///< false: recommended/ is neither read nor written
};

struct Plan {
  Upkeep upkeep;
  std::vector<Change> changes;  ///< one per browser and file, kind none included
  bool pending() const;
  /// The same for the same changes to the same files, so that apply can be held to a plan that
  /// somebody has looked at: 16 hexadecimal digits. No protection against who can choose the files.
  std::string fingerprint() const;
};

/// By browser id; browsers that are not in the map are left alone. Firefox has no setting per site:
/// the exceptions are left out there, and where somebody else's file has a list of sites already,
/// which one of icelock's would replace as a whole. A note says so.
using Wanted = std::map<std::string, WantedPolicy>;

/// A key that is not in force as icelock was asked to state it.
struct NotAsAsked {
  bool installs = false;  ///< of the installation; else one of the extension's managed settings
  std::string key;        ///< "ExtensionSettings.<id>.update_url", "3rdparty.extensions.<id>.mode"
  std::string asked;      ///< JSON text
  std::string value;      ///< JSON text in force; empty: not set
  std::string file;       ///< the one that wins, absolute, root included; empty: none says anything
};

class Store {
 public:
  explicit Store(std::filesystem::path root);

  /// What apply would do. Reads only. Errors: not_found for an unknown browser id, bad_policy_file,
  /// unsafe_path, io.
  Result<Plan> plan(const Wanted& wanted, const Upkeep& upkeep = {}) const;

  /// Adds, with nothing asked for, each browser (and the guard's settings) whose file icelock wrote
  /// and that `wanted` says nothing about, so that a plan takes icelock's keys out of it; with
  /// `settings_only` the settings alone. Errors: those of reading the ledger, so not_permitted for
  /// others than root.
  Result<void> add_left_out(Wanted& wanted, bool settings_only = false) const;

  /// What revert would do to these browsers (empty: all that the ledger names). Reads only.
  Result<Plan> plan_revert(const std::vector<std::string>& browser_ids) const;

  /// Does exactly `plan`, all or nothing: a failure half-way puts back what was done. Error
  /// `changed` when a file is no longer as the plan saw it, busy when another icelock holds the
  /// ledger.
  Result<void> apply(const Plan& plan);

  /// Restores what the ledger says was there. A file that nobody else touched since comes back byte
  /// for byte (content, mode, owner, modification time; folders that apply made are removed when
  /// empty). In one that others edited since, only icelock's keys are put back as they were, and a
  /// key that somebody has set to something else is theirs and stays; one that they removed stays
  /// away. Such an edit found by a later apply becomes part of what revert restores. With the last
  /// file the ledger goes too. A failure half-way leaves each file whole and the ledger in place:
  /// revert again. Errors: as for apply, and bad_policy_file when an edited file cannot be
  /// understood; revert the other browsers by name then.
  Result<void> revert(const Plan& plan);

  /// The level that all installed policy files of this browser together ask for, the loosest that
  /// any page gets, their owners whoever they are: site lists outrank the level key, broken files
  /// and files or folders closed to other users count for nothing, a word that the browser does not
  /// know is as loose as its default. nullopt when some page is left to the browser or its
  /// extension. Never looks at a user's own files, and cannot know what a running Firefox, or a
  /// browser in a sandbox, has read. Site entries that loosen no more than `granted` do not count.
  Result<std::optional<Level>> installed(const Browser& browser,
                                         const std::vector<SiteException>& granted = {}) const;

  /// Whether icelock wrote, when it wrote this browser's file last, that the extension is to be
  /// installed. Errors: those of reading the ledger.
  Result<bool> installs_extension(const Browser& browser) const;

  /// What of that extension's installation and managed settings the files of all owners together
  /// set otherwise in this browser, or not at all; empty: all is as asked.
  Result<std::vector<NotAsAsked>> extension_not_in_force(const Browser& browser,
                                                         const ExtensionInstall& extension) const;

  /// What icelock's own file of this browser, where a service wrote it last (Upkeep), is to say so
  /// that it holds no exception that goes beyond `granted`; nullopt when it holds none. What an
  /// admin applied is not the service's to take out. Errors: those of plan().
  Result<std::optional<WantedPolicy>> without_other_sites(
      const Browser& browser, const std::vector<SiteException>& granted) const;

  /// Those of `granted` that loosen anything at `level` and that the installed files of all owners
  /// together do give this browser. The others are not written yet, or another file has its own
  /// list of sites.
  Result<std::vector<SiteException>> sites_in_force(
      const Browser& browser, Level level, const std::vector<SiteException>& granted) const;

 private:
  std::filesystem::path root_;
};

}  // namespace icelock::policy
