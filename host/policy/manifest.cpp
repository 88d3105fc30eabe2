// SPDX-License-Identifier: Apache-2.0
#include "policy/manifest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "policy/json_parse.h"
#include "policy/transaction.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

using Kind = Change::Kind;

std::string file_name() {
  return std::string(native_host_name) + ".json";
}

bool names_our_host(std::string_view bytes) {
  const auto parsed = parse_strict(bytes);
  return parsed && parsed->is_object() &&
         parsed->value("name", nlohmann::json()) == native_host_name;
}

Result<void> check_ours(std::string_view bytes, const std::string& shown) {
  if (names_our_host(bytes)) return {};
  return fail(Code::bad_policy_file, "not a manifest of icelock's host, so it was left alone",
              shown);
}

// Folders of the system that a browser may read. Those below usr belong to packages: a second one
// there counts only where the distribution has it.
std::vector<std::string> system_folders(const Browser& browser, const Tree& tree) {
  std::vector<std::string> folders = {std::string(browser.system_manifests)};
  const std::string other(browser.other_system_manifests);
  if (other.empty() || (other.starts_with("usr/") && !tree.has_folder(parent_of(other)))) {
    return folders;
  }
  folders.push_back(other);
  return folders;
}

Result<ManifestChange> write_system(const Tree& tree, const Browser& browser,
                                    const std::string& folder,
                                    const std::optional<std::string>& bytes) {
  const std::string path = folder + "/" + file_name();
  const std::string shown = tree.shown(path).string();
  const auto state = TRY(tree.read(path));
  const auto before = bytes_of(state);
  if (before) TRY(check_ours(*before, shown));
  ManifestChange change{std::string(browser.id), shown, kind_of(before, bytes)};
  if (change.kind == Kind::none) return change;
  const auto missing = TRY(tree.missing_folders(folder));
  FileChange file{path, state, std::nullopt, folder};
  if (bytes) file.after = new_file(*bytes);
  Transaction transaction(tree);
  TRY(put_in_place(tree, missing, {std::move(file)}, transaction));
  TRY(transaction.finish());
  return change;
}

// In the user's own home symlinks are the user's business; but root must not follow them there.
Result<void> check_home(const std::filesystem::path& home) {
  struct stat status{};
  if (::stat(home.c_str(), &status) != 0) {
    return fail_errno(errno, "cannot find the home folder", home.string());
  }
  if (status.st_uid != ::geteuid()) {
    return fail(Code::unsafe_path, "the home folder belongs to somebody else", home.string());
  }
  return {};
}

Result<ManifestChange> write_user(const Browser& browser, const std::filesystem::path& home,
                                  const std::optional<std::string>& bytes) {
  const std::filesystem::path folder = home / browser.user_manifests;
  const std::filesystem::path path = folder / file_name();
  std::optional<std::string> before;
  if (auto now = read_file(path)) {
    before = std::move(*now);
    TRY(check_ours(*before, path.string()));
  } else if (now.error().code != Code::not_found) {
    return std::unexpected(now.error());
  }
  ManifestChange change{std::string(browser.id), path, kind_of(before, bytes)};
  if (change.kind == Kind::none) return change;
  if (bytes) {
    TRY(replace_file(path, *bytes));
    return change;
  }
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "cannot remove", path.string());
  ::rmdir(folder.c_str());  // only an empty one goes
  return change;
}

// Without a path: remove.
Result<std::vector<ManifestChange>> change_all(const std::vector<const Browser*>& browsers,
                                               Scope scope, const std::filesystem::path& root,
                                               const std::filesystem::path& home,
                                               const HostProgram& host) {
  std::vector<ManifestChange> changes;
  const auto bytes = [&](const Browser& browser) {
    return host.path.empty() ? std::nullopt : std::optional(manifest(browser, host));
  };
  if (scope == Scope::user) {
    TRY(check_home(home));
    for (const Browser* browser : browsers) {
      auto change = TRY(write_user(*browser, home, bytes(*browser)));
      changes.push_back(std::move(change));
    }
    return changes;
  }
  auto tree = TRY(Tree::open(root));
  for (const Browser* browser : browsers) {
    for (const std::string& folder : system_folders(*browser, tree)) {
      auto change = TRY(write_system(tree, *browser, folder, bytes(*browser)));
      changes.push_back(std::move(change));
    }
  }
  return changes;
}

}  // namespace

std::string manifest(const Browser& browser, const HostProgram& host) {
  nlohmann::ordered_json text = {
      {"name", native_host_name},
      {"description", "icelock: WebRTC lockdown that follows the network"},
      {"path", host.path.string()},
      {"type", "stdio"}};
  if (browser.family == BrowserFamily::chromium) {
    const auto origin = [](std::string_view id) {
      return "chrome-extension://" + std::string(id) + "/";
    };
    text["allowed_origins"] = {origin(chromium_extension_id)};
    for (const std::string& id : host.other_extensions) {
      if (id != chromium_extension_id) text["allowed_origins"].push_back(origin(id));
    }
  } else {
    text["allowed_extensions"] = {firefox_extension_id};
  }
  // A path may hold bytes that are no UTF-8; dump would throw on them.
  return text.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<std::vector<ManifestChange>> install_manifests(const std::vector<const Browser*>& browsers,
                                                      Scope scope,
                                                      const std::filesystem::path& root,
                                                      const std::filesystem::path& home,
                                                      const HostProgram& host) {
  if (!host.path.is_absolute()) {
    return fail(Code::bad_request, "the host's path must be absolute", host.path.string());
  }
  return change_all(browsers, scope, root, home, host);
}

Result<std::vector<ManifestChange>> remove_manifests(const std::vector<const Browser*>& browsers,
                                                     Scope scope, const std::filesystem::path& root,
                                                     const std::filesystem::path& home) {
  return change_all(browsers, scope, root, home, {});
}

bool is_installed(const Browser& browser, const std::filesystem::path& root) {
  for (const std::string_view program : browser.programs) {
    // A link may be absolute and so point out of the root; that it is there is enough.
    std::error_code ignored;
    const auto status = std::filesystem::symlink_status(root / program, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) return true;
  }
  return false;
}

}  // namespace icelock::policy
