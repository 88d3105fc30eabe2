// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "policy/audit_rules.h"
#include "policy/render.h"

namespace icelock::policy {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t cmdline_limit = 1 << 20;
constexpr std::size_t profile_limit = std::size_t{64} << 20;
constexpr std::string_view data_folder_switch = "--user-data-dir=";

struct Switch {
  std::string_view begin;
  std::string_view holds;  ///< what else must stand in it
  std::string_view what;
};
// As Chromium 156 has them; the second is the name that older versions had.
constexpr std::array switches = {
    Switch{"--webrtc-ip-handling-policy", "",
           "sets the handling for this run; a policy outranks it"},
    Switch{"--force-webrtc-ip-handling-policy", "",
           "the name that old versions had; newer ones ignore it"},
    Switch{"--disable-features=", "WebRtcHideLocalIpsWithMdns",
           "shows plain local addresses to every page"},
    Switch{"--use-fake-ui-for-media-stream", "",
           "gives camera and microphone to every page unasked, and with them more addresses"},
};

// An iterator's ++ would throw where reading on fails.
template <class Each>
void for_each_entry(const fs::path& folder, const Each& each) {
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    each(entry->path());
  }
}

struct Process {
  const Browser* browser;
  std::string shown;  ///< "process 4711"
  std::vector<std::string> arguments;
};

std::vector<std::string> arguments_of(const fs::path& folder) {
  std::vector<std::string> list;
  const auto text = read_file(folder / "cmdline", cmdline_limit);
  if (!text) return list;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\0', at), text->size());
    list.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return list;
}

std::vector<Process> running_browsers() {
  std::vector<Process> found;
  for_each_entry("/proc", [&](const fs::path& folder) {
    const std::string pid = folder.filename();
    if (pid.find_first_not_of("0123456789") != pid.npos) return;
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) return;
    if (::geteuid() != 0 && status.st_uid != ::geteuid()) return;
    std::error_code problem;
    const fs::path program = fs::read_symlink(folder / "exe", problem);
    const Browser* browser = problem ? nullptr : browser_of_program(program);
    if (browser == nullptr) return;
    Process process{browser, "process " + pid, arguments_of(folder)};
    // Children repeat what the browser was started with.
    const bool child = std::ranges::any_of(
        process.arguments, [](const std::string& each) { return each.starts_with("--type="); });
    if (!child) found.push_back(std::move(process));
  });
  return found;
}

void judge_arguments(const Process& process, Audit& audit) {
  for (const std::string& argument : process.arguments) {
    for (const Switch& known : switches) {
      const bool whole = argument == known.begin || known.begin.ends_with("=") ||
                         argument.starts_with(std::string(known.begin) + "=");
      if (!whole || !argument.starts_with(known.begin)) continue;
      if (argument.find(known.holds) == argument.npos) continue;
      add(audit, "switch_overrides", {process.browser, process.shown, std::string(known.begin)},
          argument + ": " + std::string(known.what));
    }
  }
}

std::optional<json> object_in(const fs::path& file) {
  const auto bytes = read_file(file, profile_limit);
  auto parsed = bytes ? parse_strict(*bytes) : std::nullopt;
  return parsed && parsed->is_object() ? parsed : std::nullopt;
}

// An extension's value lies beside the extension's other settings, under the preference's whole
// name (Chromium extension_prefs.cc).
void judge_preferences(const Browser& browser, const fs::path& file, Audit& audit) {
  const auto prefs = object_in(file);
  if (!prefs) return;
  constexpr std::string_view handling = "webrtc.ip_handling_policy";
  const Place place{&browser, file.string(), std::string(handling)};
  if (const json& own = member(member(*prefs, "webrtc"), "ip_handling_policy"); own.is_string()) {
    add(audit, "profile_preference", place,
        "says " + own.dump() + "; an extension or a policy outranks it");
  }
  const json& extensions = member(member(*prefs, "extensions"), "settings");
  if (!extensions.is_object()) return;
  for (const auto& [id, settings] : extensions.items()) {
    const json& value = member(member(settings, "preferences"), handling);
    const json& disabled = member(settings, "disable_reasons");
    const bool off = !disabled.empty() && disabled != 0;  // a list, a number in older versions
    if (value.is_null() || off || id == chromium_extension_id) continue;
    add(audit, "other_extension", place, "extension " + id + " sets " + value.dump());
  }
}

void judge_local_state(const Browser& browser, const fs::path& file, Audit& audit) {
  const auto state = object_in(file);
  if (!state) return;
  for (const json& flag : member(member(*state, "browser"), "enabled_labs_experiments")) {
    if (flag != "enable-webrtc-hide-local-ips-with-mdns@2") continue;  // the second choice: off
    add(audit, "profile_flag", {&browser, file.string(), "enable-webrtc-hide-local-ips-with-mdns"},
        "it is switched off, so pages see plain local addresses");
  }
}

void judge_chromium_data(const Browser& browser, const fs::path& folder, Audit& audit) {
  judge_local_state(browser, folder / "Local State", audit);
  std::error_code problem;
  for_each_entry(folder, [&](const fs::path& profile) {
    judge_preferences(browser, profile / "Preferences", audit);
    judge_preferences(browser, profile / "Secure Preferences", audit);
  });
  if (fs::exists(folder / "policies", problem)) {
    add(audit, "not_read", {&browser, (folder / "policies").string(), ""},
        "there are no policies per user on Linux");
  }
}

void judge_firefox_profile(const Browser& browser, const fs::path& profile, Audit& audit) {
  for (const char* file : {"prefs.js", "user.js"}) {
    const auto text = read_file(profile / file, profile_limit);
    constexpr std::string_view begin = "user_pref(\"media.peerconnection.";
    for (std::size_t line = text ? text->find(begin) : text->npos; text && line != text->npos;
         line = text->find(begin, line + 1)) {
      const std::size_t key = line + begin.find('"') + 1;
      add(audit, "profile_preference",
          {&browser, (profile / file).string(), text->substr(key, text->find('"', key) - key)},
          text->substr(line, text->find('\n', line) - line) + " counts where no policy locks it");
    }
  }
  const auto settings = object_in(profile / "extension-settings.json");
  if (!settings) return;
  for (const std::string_view name :
       {"network.webRTCIPHandlingPolicy", "network.peerConnectionEnabled"}) {
    for (const json& entry : member(member(member(*settings, "prefs"), name), "precedenceList")) {
      const json& id = member(entry, "id");
      if (id == firefox_extension_id || member(entry, "enabled") != true) continue;
      add(audit, "other_extension",
          {&browser, (profile / "extension-settings.json").string(), std::string(name)},
          "extension " + id.dump() + " sets " + member(entry, "value").dump());
    }
  }
}

}  // namespace

void add_running(Audit& audit, const fs::path& home) {
  std::set<std::pair<const Browser*, fs::path>> folders;
  for (const Browser& browser : browsers()) {
    if (!home.empty() && browser.family == BrowserFamily::chromium) {
      folders.emplace(&browser, home / parent_of(browser.user_manifests));
    }
  }
  for (const Process& process : running_browsers()) {
    judge_arguments(process, audit);
    for (const std::string& argument : process.arguments) {
      if (argument.starts_with(data_folder_switch) &&
          process.browser->family == BrowserFamily::chromium) {
        folders.emplace(process.browser, argument.substr(data_folder_switch.size()));
      }
    }
  }
  for (const auto& [browser, folder] : folders) {
    struct stat status{};
    // Somebody else's profile is not for root to read along.
    if (::stat(folder.c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    judge_chromium_data(*browser, folder, audit);
  }
  if (home.empty()) return;
  for_each_entry(home / ".mozilla/firefox", [&](const fs::path& profile) {
    judge_firefox_profile(*find_browser("firefox"), profile, audit);
  });
}

}  // namespace icelock::policy
