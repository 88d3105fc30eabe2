// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "policy/ledger.h"
#include "policy/store.h"
#include "policy/targets.h"
#include "policy/transaction.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

FileState new_state(std::string bytes, const std::optional<FileState>& before) {
  // With the time of the change, although Chromium then waits five seconds: see Upkeep.
  FileState state = new_file(std::move(bytes));
  if (before) {
    state.mode = (before->mode & 0755U) | 0444U;
    state.uid = before->uid;
    state.gid = before->gid;
  }
  return state;
}

// The target that a change of a plan is about. A plan is a plain value that anybody may make, so
// its path must be one that the table of browsers knows.
Result<Target> target_of(const Tree& tree, const Change& change) {
  const Browser* browser = find_target_browser(change.browser);
  if (browser == nullptr) return fail(Code::not_found, "no such browser", change.browser);
  for (const Target& target : targets(*browser)) {
    const auto beside = recommended_beside(target);
    if (tree.shown(target.path) == change.path) return target;
    if (beside && tree.shown(beside->path) == change.path) return *beside;
  }
  return fail(Code::bad_request, "not a policy file of this browser", change.path.string());
}

std::unexpected<Error> changed(const Change& change) {
  return fail(Code::changed, "the file is not as it was when the plan was made",
              change.path.string());
}

void add_new(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& item : more) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
}

// Brings the ledger's entry up to date for a file that is about to become `after`. What was there
// at the first apply stays the original, unless somebody else has edited or removed the file since.
Result<void> record(const Tree& tree, Ledger& ledger, const std::string& path,
                    const std::optional<FileState>& now, const std::string& after) {
  LedgerFile* entry = ledger.find(path);
  if (entry == nullptr) {
    ledger.files.push_back({path, now, {after}});
    return {};
  }
  const bool ours = now && std::find(entry->written.begin(), entry->written.end(), now->bytes) !=
                               entry->written.end();
  if (!ours) {
    auto restored = TRY(restoration(tree, *entry));
    entry->original = std::move(restored.then);
  }
  std::vector<std::string> written;
  if (ours) {
    written = {now->bytes};
  } else if (!entry->written.empty()) {
    written = {entry->written.back()};
  }
  add_new(written, {after});
  entry->written = std::move(written);
  return {};
}

FileChange ledger_change(const std::optional<FileState>& before, const Ledger& ledger) {
  FileChange change{std::string(ledger_path), before, std::nullopt, std::string(ledger_folder)};
  if (ledger.empty()) return change;
  // Readable for its owner only: it holds the content of files that may have been closed to others.
  change.after = new_file(to_text(ledger), 0600);
  return change;
}

struct Work {
  std::optional<FileState> ledger_before;
  Ledger ledger;
  std::vector<FileChange> files;
  std::vector<std::string> folders;  // to make, outermost first
};

Result<void> read_ledger_into(const Tree& tree, Work& work) {
  work.ledger_before = TRY(tree.read(ledger_path));
  if (!work.ledger_before) return {};
  work.ledger = TRY(parse_ledger(work.ledger_before->bytes));
  return {};
}

Result<void> clear_leftovers(const Tree& tree, const Ledger& ledger) {
  auto cleared = remove_leftovers(tree, std::string(ledger_path), std::string(ledger_folder));
  for (const LedgerFile& file : ledger.files) {
    for (const Target& target : targets_at(file.path)) {
      if (cleared) cleared = remove_leftovers(tree, target.path, target.stage_folder);
    }
  }
  return cleared;
}

Result<void> add_change(const Tree& tree, const Change& change, const Upkeep& upkeep, Work& work) {
  auto target = TRY(target_of(tree, change));
  const auto state = TRY(tree.read(target.path));
  if (state.has_value() == (change.kind == Change::Kind::create)) return changed(change);
  if (state && state->bytes != change.before) return changed(change);
  if (change.kind == Change::Kind::remove) {
    return fail(Code::bad_request, "a plan to revert cannot be applied", change.path.string());
  }
  TRY(record(tree, work.ledger, target.path, state, change.after));
  const auto missing = TRY(tree.missing_folders(parent_of(target.path)));
  add_new(work.folders, missing);
  FileState after = new_state(change.after, state);
  if (upkeep.service && target.browser->family == BrowserFamily::chromium) {
    after.mtime_ns = service_mtime_ns;
  }
  work.files.push_back({target.path, state, std::move(after), target.stage_folder});
  return {};
}

Result<void> run_apply(const Tree& tree, const LedgerLock& lock, Work& work) {
  Transaction ledger(tree);
  TRY(ledger.stage(ledger_change(work.ledger_before, work.ledger)));
  TRY(ledger.commit());
  if (!lock.made().empty()) lock.mark(true);
  Transaction files(tree);
  if (auto done = put_in_place(tree, work.folders, std::move(work.files), files); !done) {
    if (!lock.made().empty()) lock.mark(false);
    return done;  // and the ledger rolls back, last
  }
  // What cannot be cleared now is cleared by the next run: the ledger knows these files.
  best_effort(files.finish());
  best_effort(ledger.finish());
  return {};
}

// Those folders that icelock made and nothing in the ledger needs any longer.
std::vector<std::string> take_unneeded_folders(Ledger& ledger) {
  const auto needed = [&](const std::string& folder) {
    return std::any_of(ledger.files.begin(), ledger.files.end(),
                       [&](const LedgerFile& file) { return file.path.starts_with(folder + "/"); });
  };
  std::vector<std::string> unneeded;
  std::vector<std::string> kept;
  for (const std::string& folder : ledger.folders) {
    const bool holds_ledger = ledger_path.starts_with(folder + "/");
    (needed(folder) || holds_ledger ? kept : unneeded).push_back(folder);
  }
  ledger.folders = std::move(kept);
  return unneeded;
}

Result<void> add_restoration(const Tree& tree, const Change& change, Work& work) {
  auto target = TRY(target_of(tree, change));
  LedgerFile* entry = work.ledger.find(target.path);
  if (entry == nullptr) return changed(change);
  auto restored = TRY(restoration(tree, *entry));
  const auto bytes = [](const std::optional<FileState>& state) {
    return state ? state->bytes : std::string();
  };
  const bool removes = restored.now && !restored.then;
  if (bytes(restored.now) != change.before || bytes(restored.then) != change.after ||
      removes != (change.kind == Change::Kind::remove)) {
    return changed(change);
  }
  if (restored.now != restored.then) {
    work.files.push_back({target.path, restored.now, restored.then, target.stage_folder});
  }
  std::erase_if(work.ledger.files,
                [&](const LedgerFile& file) { return file.path == target.path; });
  return {};
}

Result<void> run_revert(const Tree& tree, const LedgerLock& lock, Work& work) {
  const std::vector<std::string> unneeded = take_unneeded_folders(work.ledger);
  const bool last = work.ledger.empty();
  std::vector<std::string> own_folders = last ? work.ledger.folders : std::vector<std::string>();
  add_new(own_folders, lock.made());
  Transaction ledger(tree);
  TRY(ledger.stage(ledger_change(work.ledger_before, work.ledger)));
  Transaction files(tree);
  TRY(put_in_place(tree, {}, std::move(work.files), files));
  // The files are as they were. Whatever fails from here on keeps the ledger, so that the next
  // revert finds what is still to be cleared.
  TRY(files.finish());
  TRY(tree.remove_empty_folders(unneeded));
  // A folder that keeps the history stays, and open to its readers.
  const auto history = tree.read(history_path);
  const bool folder_goes = last && !own_folders.empty() && history && !history->has_value();
  if (folder_goes) lock.mark(false);
  TRY(ledger.commit());
  TRY(ledger.finish());
  return last ? tree.remove_empty_folders(own_folders) : Result<void>();
}

}  // namespace

Result<void> Store::apply(const Plan& plan) {
  if (!plan.pending()) return {};
  auto tree = TRY(Tree::open(root_));
  auto lock = TRY(LedgerLock::take(tree));
  Work work;
  Result<void> done = read_ledger_into(tree, work);
  if (done) done = clear_leftovers(tree, work.ledger);
  for (const Change& change : plan.changes) {
    if (done && change.kind != Change::Kind::none)
      done = add_change(tree, change, plan.upkeep, work);
  }
  if (done) {
    add_new(work.ledger.folders, lock.made());
    add_new(work.ledger.folders, work.folders);
    done = run_apply(tree, lock, work);
  }
  if (!done && !work.ledger_before) {
    best_effort(tree.remove_empty_folders(lock.made()));
  }
  return done;
}

Result<void> Store::revert(const Plan& plan) {
  auto tree = TRY(Tree::open(root_));
  if (!tree.has_folder(ledger_folder)) {
    if (plan.pending()) return changed(plan.changes.front());
    return {};
  }
  auto lock = TRY(LedgerLock::take(tree));
  Work work;
  TRY(read_ledger_into(tree, work));
  TRY(clear_leftovers(tree, work.ledger));
  for (const Change& change : plan.changes) {
    TRY(add_restoration(tree, change, work));
  }
  if (plan.changes.empty() && work.ledger_before) return {};
  return run_revert(tree, lock, work);
}

}  // namespace icelock::policy
