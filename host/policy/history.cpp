// SPDX-License-Identifier: Apache-2.0
#include "policy/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <thread>

#include "base/file.h"
#include "policy/fingerprint.h"
#include "policy/json_parse.h"
#include "policy/ledger.h"
#include "policy/transaction.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

using nlohmann::ordered_json;

constexpr int version = 1;
constexpr std::size_t longest_reason = 300;
constexpr std::size_t most_bytes = 256 << 10;

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> text{};
  ::gmtime_r(&now, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%FT%TZ", &parts)};
}

// What is there now, in the plan's order; a file that is not there differs from an empty one.
std::string fingerprint_of_files(const Plan& plan) {
  Fingerprint hash;
  for (const Change& change : plan.changes) {
    if (change.kind == Change::Kind::none) continue;
    const auto bytes = read_file(change.path, std::size_t{16} << 20);
    hash.add(change.path.string()).add(bytes ? "file" : "none").add(bytes.value_or(""));
  }
  return hash.digits();
}

std::string line_of(std::string_view verb, const Asked& asked, const Plan& plan) {
  ordered_json line = {{"v", version}, {"time", time_text()}, {"verb", verb}, {"uid", asked.uid}};
  if (asked.sudo_uid) line["sudo_uid"] = *asked.sudo_uid;
  line["reason"] = asked.reason;
  std::vector<std::string> browsers;
  for (const Change& change : plan.changes) {
    const bool is_listed = std::ranges::find(browsers, change.browser) != browsers.end();
    if (change.kind != Change::Kind::none && !is_listed) browsers.push_back(change.browser);
  }
  line["browsers"] = browsers;
  line["plan"] = plan.fingerprint();
  line["result"] = fingerprint_of_files(plan);
  return line.dump() + "\n";
}

std::optional<HistoryEntry> entry_of(std::string_view text) {
  const auto line = parse_strict(text);
  if (!line || !line->is_object()) return std::nullopt;
  try {
    if (line->at("v") != version) return std::nullopt;
    HistoryEntry entry;
    entry.time = line->at("time").get<std::string>();
    entry.verb = line->at("verb").get<std::string>();
    entry.asked.uid = line->at("uid").get<uid_t>();
    if (line->contains("sudo_uid")) entry.asked.sudo_uid = line->at("sudo_uid").get<uid_t>();
    entry.asked.reason = line->at("reason").get<std::string>();
    entry.browsers = line->at("browsers").get<std::vector<std::string>>();
    entry.plan = line->at("plan").get<std::string>();
    entry.result = line->at("result").get<std::string>();
    return entry;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// The newest whole lines of `text` that fit into `size` bytes.
std::string newest(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  const std::size_t end_of_line = text.find('\n', text.size() - size);
  return std::string(end_of_line == text.npos ? std::string_view() : text.substr(end_of_line + 1));
}

Result<void> replace(const Tree& tree, const FileState& before, std::string bytes) {
  FileState after = before;
  after.bytes = std::move(bytes);
  Transaction transaction(tree);
  TRY(put_in_place(
      tree, {}, {{std::string(history_path), before, std::move(after), std::string(ledger_folder)}},
      transaction));
  return transaction.finish();
}

Result<void> append(const Tree& tree, const std::string& line) {
  const std::string shown = tree.shown(history_path).string();
  auto folder = TRY(tree.folder(ledger_folder));
  const Fd fd(::openat(folder.get(), leaf_of(history_path).c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, "cannot open", shown);
  struct stat status{};
  if (::fchmod(fd.get(), 0644) != 0 || ::fstat(fd.get(), &status) != 0) {
    return fail_errno(errno, "cannot prepare", shown);
  }
  const ssize_t written = ::write(fd.get(), line.data(), line.size());
  if (written != std::ssize(line) || ::fsync(fd.get()) != 0) {
    const int problem = written < 0 || written == std::ssize(line) ? errno : ENOSPC;
    // Half a line would be skipped by every reader, but not be missed.
    [[maybe_unused]] const int cut = ::ftruncate(fd.get(), status.st_size);
    return fail_errno(problem, "cannot write", shown);
  }
  if (status.st_size == 0 && ::fsync(folder.get()) != 0) {
    return fail_errno(errno, "cannot sync the folder of", shown);
  }
  return {};
}

Result<LedgerLock> wait_for_lock(const Tree& tree) {
  constexpr std::chrono::milliseconds pause{20};
  constexpr int attempts = 100;
  auto lock = LedgerLock::take(tree);
  for (int i = 0; i < attempts && !lock && lock.error().code == Code::busy; ++i) {
    std::this_thread::sleep_for(pause);
    lock = LedgerLock::take(tree);
  }
  return lock;
}

bool is_utf8(std::string_view text) {
  try {
    [[maybe_unused]] const std::string dumped = ordered_json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// Control characters of both sets, line ends of Unicode, and what changes the direction of text.
bool steers(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x061C ||
         (point >= 0x200E && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

}  // namespace

Result<std::string> clean_reason(std::string_view text) {
  if (text.size() > longest_reason) {
    return fail(Code::bad_request, "at most 300 bytes", "reason");
  }
  if (!is_utf8(text)) return fail(Code::bad_request, "not UTF-8", "reason");
  std::string clean;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0x7FU >> length);
    for (const char c : text.substr(1, length - 1)) {
      point = (point << 6) | (static_cast<unsigned char>(c) & 0x3FU);
    }
    clean += steers(point) ? " " : text.substr(0, length);
    text.remove_prefix(length);
  }
  clean.erase(0, clean.find_first_not_of(' '));
  clean.erase(clean.find_last_not_of(' ') + 1);
  return clean;
}

Result<void> record(const std::filesystem::path& root, std::string_view verb, const Asked& asked,
                    const Plan& plan) {
  auto tree = TRY(Tree::open(root));
  auto lock = TRY(wait_for_lock(tree));
  // The folder stays for the history's sake, and must be open to readers.
  lock.mark(true);
  const auto before = TRY(tree.read(history_path));
  std::string line = line_of(verb, asked, plan);
  if (before) {
    if (before->bytes.size() + line.size() > most_bytes) {
      return replace(tree, *before, newest(before->bytes, most_bytes / 2) + line);
    }
    if (!before->bytes.empty() && !before->bytes.ends_with('\n')) line.insert(0, "\n");
  }
  return append(tree, line);
}

Result<History> read_history(const std::filesystem::path& root) {
  auto tree = TRY(Tree::open(root));
  const auto found = TRY(tree.read(history_path));
  History history;
  std::string_view text = found ? std::string_view(found->bytes) : std::string_view();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto entry = entry_of(text.substr(0, end))) {
      history.entries.push_back(std::move(*entry));
    } else if (end > 0) {
      ++history.skipped;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return history;
}

}  // namespace icelock::policy
