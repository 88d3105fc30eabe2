// SPDX-License-Identifier: Apache-2.0
#include "policy/transaction.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"

namespace icelock::policy {
namespace {

// Fixed names, so that the next run finds what a killed one left. managed/ and recommended/ stage
// files of one name in the folder above both.
std::string mark_of(const std::string& path) {
  return leaf_of(parent_of(path)) + "-" + leaf_of(path);
}
std::string new_name(const std::string& path) {
  return ".icelock-new-" + mark_of(path);
}
std::string old_name(const std::string& path) {
  return ".icelock-old-" + mark_of(path);
}

Result<void> dress(int fd, const FileState& state, const std::string& shown) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail_errno(errno, "cannot stat", shown);
  const bool other_owner = status.st_uid != state.uid || status.st_gid != state.gid;
  if (other_owner && ::fchown(fd, state.uid, state.gid) != 0) {
    return fail_errno(errno, "cannot set the owner", shown);
  }
  constexpr std::int64_t second = 1'000'000'000;
  // Times before 1970 must not give negative nanoseconds.
  const std::int64_t nanoseconds = ((state.mtime_ns % second) + second) % second;
  const timespec time{.tv_sec = (state.mtime_ns - nanoseconds) / second, .tv_nsec = nanoseconds};
  const std::array<timespec, 2> times = {time, time};
  if (::fchmod(fd, state.mode) != 0 || ::futimens(fd, times.data()) != 0 || ::fsync(fd) != 0) {
    return fail_errno(errno, "cannot finish", shown);
  }
  return {};
}

// Renames without ever replacing a file that came up in the meantime, where the file system can do
// that.
int rename_new(int from, const std::string& stage, int to, const std::string& leaf) {
  if (::renameat2(from, stage.c_str(), to, leaf.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  return ::renameat(from, stage.c_str(), to, leaf.c_str());
}

std::unexpected<Error> rename_error(int problem, const std::string& shown) {
  if (problem == EXDEV) {
    return fail(Code::unavailable,
                "the folder is a mount of its own, and cannot be changed in one step", shown);
  }
  if (problem == EEXIST) return fail(Code::changed, "somebody made this file just now", shown);
  return fail_errno(problem, "cannot replace", shown);
}

Result<void> remove_name(const Tree& tree, const std::string& folder, const std::string& name) {
  const auto opened = tree.folder(folder);
  if (!opened && opened.error().code == Code::not_found) return {};
  if (!opened) return std::unexpected(opened.error());
  if (::unlinkat(opened->get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "cannot remove", (tree.shown(folder) / name).string());
}

}  // namespace

Result<void> remove_leftovers(const Tree& tree, const std::string& path,
                              const std::string& stage_folder) {
  auto removed = remove_name(tree, stage_folder, new_name(path));
  auto also = remove_name(tree, stage_folder, old_name(path));
  return removed ? also : removed;
}

Result<void> Transaction::stage(FileChange change) {
  TRY(remove_leftovers(tree_, change.path, change.stage_folder));
  steps_.push_back(Step{std::move(change)});
  const FileChange& added = steps_.back().change;
  if (!added.after) return {};
  auto folder = TRY(tree_.folder(added.stage_folder));
  const std::string name = new_name(added.path);
  const std::string shown = (tree_.shown(added.stage_folder) / name).string();
  const Fd fd(::openat(folder.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "cannot make a file", shown);
  TRY(write_all(fd.get(), added.after->bytes, shown));
  return dress(fd.get(), *added.after, shown);
}

Result<void> Transaction::commit_one(Step& step) {
  const FileChange& change = step.change;
  const std::string shown = tree_.shown(change.path).string();
  auto now = TRY(tree_.read(change.path));
  if (now != change.before) return fail(Code::changed, "the file changed in the meantime", shown);
  auto target = TRY(tree_.folder(parent_of(change.path)));
  auto stage = TRY(tree_.folder(change.stage_folder));
  const std::string leaf = leaf_of(change.path);
  const std::string staged = new_name(change.path);
  if (change.before) {
    if (::linkat(target.get(), leaf.c_str(), stage.get(), old_name(change.path).c_str(), 0) != 0) {
      return rename_error(errno, shown);
    }
    step.linked = true;
  }
  int problem = 0;
  if (!change.after) {
    problem = ::unlinkat(target.get(), leaf.c_str(), 0);
  } else if (change.before) {
    problem = ::renameat(stage.get(), staged.c_str(), target.get(), leaf.c_str());
  } else {
    problem = rename_new(stage.get(), staged, target.get(), leaf);
  }
  if (problem != 0) return rename_error(errno, shown);
  step.changed = true;
  if (::fsync(target.get()) != 0 || ::fsync(stage.get()) != 0) {
    return fail_errno(errno, "cannot sync the folder of", shown);
  }
  return {};
}

Result<void> Transaction::commit() {
  for (Step& step : steps_) {
    if (!step.change.before && !step.change.after) continue;
    if (auto done = commit_one(step); !done) {
      roll_back();
      return done;
    }
  }
  return {};
}

Result<void> Transaction::finish() {
  finished_ = true;
  Result<void> result;
  for (const Step& step : steps_) {
    auto removed = remove_leftovers(tree_, step.change.path, step.change.stage_folder);
    if (!removed) result = removed;
  }
  return result;
}

void Transaction::roll_back() {
  if (std::exchange(finished_, true)) return;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    const FileChange& change = step->change;
    const auto target = tree_.folder(parent_of(change.path));
    const auto stage = tree_.folder(change.stage_folder);
    if (step->changed && target && stage) {
      const std::string leaf = leaf_of(change.path);
      if (step->linked) {
        ::renameat(stage->get(), old_name(change.path).c_str(), target->get(), leaf.c_str());
      } else {
        ::unlinkat(target->get(), leaf.c_str(), 0);
      }
      ::fsync(target->get());
    }
    // What stays is cleared by the next run.
    best_effort(remove_leftovers(tree_, change.path, change.stage_folder));
  }
}

Result<void> put_in_place(const Tree& tree, const std::vector<std::string>& folders,
                          std::vector<FileChange> files, Transaction& transaction) {
  Result<void> done;
  for (const std::string& folder : folders) {
    if (done) done = tree.make_folder(folder);
  }
  for (FileChange& file : files) {
    if (done) done = transaction.stage(std::move(file));
  }
  if (done) done = transaction.commit();
  if (done) return done;
  transaction.roll_back();
  best_effort(tree.remove_empty_folders(folders));
  return done;
}

}  // namespace icelock::policy
