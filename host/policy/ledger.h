// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "policy/tree.h"

// What was there before icelock, in var/lib/icelock/ledger.json. Private to policy/.

namespace icelock::policy {

inline constexpr std::string_view ledger_folder = "var/lib/icelock";
inline constexpr std::string_view ledger_path = "var/lib/icelock/ledger.json";
/// See policy/history.h.
inline constexpr std::string_view history_path = "var/lib/icelock/history.jsonl";

struct LedgerFile {
  std::string path;                   ///< below the root
  std::optional<FileState> original;  ///< nullopt: there was none
  /// What icelock put there, the newest last. More than one, because after a crash the file may
  /// still be as the apply before left it.
  std::vector<std::string> written;
};

struct Ledger {
  std::vector<LedgerFile> files;
  std::vector<std::string> folders;  ///< made by icelock, in the order of making

  LedgerFile* find(std::string_view path);
  const LedgerFile* find(std::string_view path) const;
  bool empty() const { return files.empty(); }
};

/// JSON, version 1. A byte of a file is the code point of the same number, so that any content
/// survives and plain text stays readable.
std::string to_text(const Ledger& ledger);
/// Errors: version, bad_policy_file.
Result<Ledger> parse_ledger(std::string_view text);

/// An empty one when there is none. Errors: those of Tree::read and parse_ledger.
Result<Ledger> read_ledger(const Tree& tree);

/// The right to change policy below this root, held while the object lives. The lock is on the
/// folder, not on the ledger, because the ledger is replaced by rename; the folder is made when it
/// is not there. A folder that icelock made keeps a mode of its own (01700) until it holds a
/// ledger, so that one left by a killed icelock is known for what it is.
class LedgerLock {
 public:
  /// Errors: busy when another process holds it; not_permitted, unsafe_path, io.
  static Result<LedgerLock> take(const Tree& tree);

  /// The folders that icelock had to make for the ledger.
  const std::vector<std::string>& made() const { return made_; }
  /// Opens the folder to readers once a ledger is in it, or marks it for removal before that is
  /// taken out.
  void mark(bool holds_ledger) const;

 private:
  LedgerLock(Fd fd, std::vector<std::string> made) : fd_(std::move(fd)), made_(std::move(made)) {}
  Fd fd_;
  std::vector<std::string> made_;
};

}  // namespace icelock::policy
