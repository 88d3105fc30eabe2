// SPDX-License-Identifier: Apache-2.0
#include "policy/ledger.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "policy/json_parse.h"

namespace icelock::policy {
namespace {

using nlohmann::json;

constexpr int ledger_version = 1;
constexpr mode_t unmarked_mode = 0755;
constexpr mode_t marked_mode = 01700;  // nobody else gives a folder this mode

std::string to_code_points(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> from_code_points(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
      continue;
    }
    if ((lead != 0xC2 && lead != 0xC3) || i + 1 >= text.size()) return std::nullopt;
    const auto tail = static_cast<unsigned char>(text[++i]);
    bytes += static_cast<char>(((lead & 0x03) << 6) | (tail & 0x3F));
  }
  return bytes;
}

json to_json(const LedgerFile& file) {
  json result = {{"path", file.path}, {"original", nullptr}, {"written", json::array()}};
  if (file.original) {
    result["original"] = {{"bytes", to_code_points(file.original->bytes)},
                          {"mode", file.original->mode},
                          {"uid", file.original->uid},
                          {"gid", file.original->gid},
                          {"mtime_ns", file.original->mtime_ns}};
  }
  for (const std::string& bytes : file.written) result["written"].push_back(to_code_points(bytes));
  return result;
}

std::string bytes_of(const json& value) {
  auto bytes = from_code_points(value.get_ref<const std::string&>());
  if (!bytes) throw json::other_error::create(501, "not the code points of bytes", nullptr);
  return std::move(*bytes);
}

LedgerFile file_of(const json& value) {
  LedgerFile file;
  file.path = value.at("path").get<std::string>();
  if (const json& original = value.at("original"); !original.is_null()) {
    file.original = FileState{.bytes = bytes_of(original.at("bytes")),
                              .mode = original.at("mode").get<unsigned>(),
                              .uid = original.at("uid").get<uid_t>(),
                              .gid = original.at("gid").get<gid_t>(),
                              .mtime_ns = original.at("mtime_ns").get<std::int64_t>()};
  }
  for (const json& bytes : value.at("written")) file.written.push_back(bytes_of(bytes));
  return file;
}

}  // namespace

LedgerFile* Ledger::find(std::string_view path) {
  const auto found = std::ranges::find(files, path, &LedgerFile::path);
  return found == files.end() ? nullptr : &*found;
}

const LedgerFile* Ledger::find(std::string_view path) const {
  return const_cast<Ledger*>(this)->find(path);
}

std::string to_text(const Ledger& ledger) {
  json files = json::array();
  for (const LedgerFile& file : ledger.files) files.push_back(to_json(file));
  return json({{"v", ledger_version}, {"files", files}, {"folders", ledger.folders}}).dump(1) +
         "\n";
}

Result<Ledger> parse_ledger(std::string_view text) {
  const auto broken = [] {
    return fail(Code::bad_policy_file, "the ledger cannot be understood", std::string(ledger_path));
  };
  const auto parsed = parse_strict(text);
  if (!parsed || !parsed->is_object()) return broken();
  if (parsed->value("v", json()) != ledger_version) {
    return fail(Code::version, "the ledger was written by another version of icelock",
                std::string(ledger_path));
  }
  try {
    Ledger ledger;
    for (const json& file : parsed->at("files")) ledger.files.push_back(file_of(file));
    ledger.folders = parsed->at("folders").get<std::vector<std::string>>();
    return ledger;
  } catch (const json::exception&) {
    return broken();
  }
}

Result<Ledger> read_ledger(const Tree& tree) {
  const auto state = TRY(tree.read(ledger_path));
  return state ? parse_ledger(state->bytes) : Ledger{};
}

namespace {

Result<void> make_ledger_folder(const Tree& tree, const std::vector<std::string>& missing) {
  for (const std::string& folder : missing) {
    const mode_t mode = folder == ledger_folder ? marked_mode : unmarked_mode;
    TRY(tree.make_folder(folder, mode));
  }
  return {};
}

Result<Fd> lock_ledger_folder(const Tree& tree) {
  const std::string shown = tree.shown(ledger_folder).string();
  auto folder = TRY(tree.folder(ledger_folder));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Code::busy, "another icelock is at work", shown);
    return fail_errno(errno, "cannot lock", shown);
  }
  // The one who held the lock before may have removed the folder: then this lock guards nothing.
  auto again = tree.folder(ledger_folder);
  if (!again && again.error().code != Code::not_found) return again;
  struct stat locked{};
  struct stat there{};
  if (!again || ::fstat(folder.get(), &locked) != 0 || ::fstat(again->get(), &there) != 0 ||
      locked.st_ino != there.st_ino || locked.st_dev != there.st_dev) {
    return fail(Code::busy, "another icelock is at work", shown);
  }
  return folder;
}

}  // namespace

Result<LedgerLock> LedgerLock::take(const Tree& tree) {
  auto made = TRY(tree.missing_folders(ledger_folder));
  Result<Fd> folder = fail(Code::internal, "not locked yet");
  if (auto done = make_ledger_folder(tree, made); done) {
    folder = lock_ledger_folder(tree);
  } else {
    folder = std::unexpected(done.error());
  }
  if (!folder) {
    // The other one may have made the very same folder, and be about to use it.
    if (folder.error().code != Code::busy) {
      best_effort(tree.remove_empty_folders(made));
    }
    return std::unexpected(folder.error());
  }
  struct stat status{};
  if (::fstat(folder->get(), &status) == 0 && (status.st_mode & 07777) == marked_mode &&
      made.empty()) {
    made.emplace_back(ledger_folder);
  }
  return LedgerLock(std::move(*folder), std::move(made));
}

void LedgerLock::mark(bool holds_ledger) const {
  ::fchmod(fd_.get(), holds_ledger ? unmarked_mode : marked_mode);
}

}  // namespace icelock::policy
