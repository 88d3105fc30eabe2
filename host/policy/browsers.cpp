// SPDX-License-Identifier: Apache-2.0
#include "policy/browsers.h"

#include <algorithm>
#include <array>

namespace icelock::policy {
namespace {

using Path = std::string_view;

constexpr std::array<Path, 3> chrome_programs = {
    "opt/google/chrome/chrome", "usr/bin/google-chrome-stable", "usr/bin/google-chrome"};
constexpr std::array<Path, 3> chromium_programs = {"usr/bin/chromium", "usr/bin/chromium-browser",
                                                   "usr/lib/chromium/chromium"};
constexpr std::array<Path, 3> edge_programs = {
    "opt/microsoft/msedge/msedge", "usr/bin/microsoft-edge-stable", "usr/bin/microsoft-edge"};
constexpr std::array<Path, 3> brave_programs = {
    "opt/brave.com/brave/brave", "usr/bin/brave-browser-stable", "usr/bin/brave-browser"};
constexpr std::array<Path, 3> vivaldi_programs = {"opt/vivaldi/vivaldi", "usr/bin/vivaldi-stable",
                                                  "usr/bin/vivaldi"};
constexpr std::array<Path, 5> firefox_programs = {
    "usr/bin/firefox-esr", "usr/bin/firefox", "usr/lib/firefox/firefox",
    "usr/lib64/firefox/firefox", "opt/firefox/firefox"};

constexpr std::array<Path, 4> distribution_files = {
    "usr/lib/firefox-esr/distribution/policies.json", "usr/lib/firefox/distribution/policies.json",
    "usr/lib64/firefox/distribution/policies.json", "opt/firefox/distribution/policies.json"};

constexpr std::array table = {
    Browser{.id = "chrome",
            .name = "Google Chrome",
            .family = BrowserFamily::chromium,
            .programs = chrome_programs,
            .policy_path = "etc/opt/chrome/policies/managed",
            .level_key = "WebRtcIPHandling",
            .sites_since = 133,
            .package = "google-chrome-stable",
            .system_manifests = "etc/opt/chrome/native-messaging-hosts",
            .user_manifests = ".config/google-chrome/NativeMessagingHosts",
            .registry_key = "SOFTWARE\\Policies\\Google\\Chrome",
            .mac_domain = "com.google.Chrome"},
    Browser{.id = "chromium",
            .name = "Chromium",
            .family = BrowserFamily::chromium,
            .programs = chromium_programs,
            .policy_path = "etc/chromium/policies/managed",
            .level_key = "WebRtcIPHandling",
            .sites_since = 133,
            .package = "chromium",
            .system_manifests = "etc/chromium/native-messaging-hosts",
            .user_manifests = ".config/chromium/NativeMessagingHosts",
            .registry_key = "SOFTWARE\\Policies\\Chromium",
            .mac_domain = "org.chromium.Chromium"},
    Browser{.id = "edge",
            .name = "Microsoft Edge",
            .family = BrowserFamily::chromium,
            .programs = edge_programs,
            .policy_path = "etc/opt/edge/policies/managed",
            .level_key = "WebRtcLocalhostIpHandling",
            .needs_url_list = true,
            .sites_since = 135,
            .package = "microsoft-edge-stable",
            .system_manifests = "etc/opt/edge/native-messaging-hosts",
            .user_manifests = ".config/microsoft-edge/NativeMessagingHosts",
            .registry_key = "SOFTWARE\\Policies\\Microsoft\\Edge",
            .mac_domain = "com.microsoft.Edge"},
    Browser{.id = "brave",
            .name = "Brave",
            .family = BrowserFamily::chromium,
            .programs = brave_programs,
            .policy_path = "etc/brave/policies/managed",
            .level_key = "WebRtcIPHandling",
            .sites_since = 133,
            .system_manifests = "etc/opt/chrome/native-messaging-hosts",
            .user_manifests = ".config/BraveSoftware/Brave-Browser/NativeMessagingHosts",
            .registry_key = "SOFTWARE\\Policies\\BraveSoftware\\Brave",
            .mac_domain = "com.brave.Browser"},
    // Chromium's own rule gives an unbranded build Chromium's folders; packagers use
    // /etc/opt/vivaldi.
    Browser{.id = "vivaldi",
            .name = "Vivaldi",
            .family = BrowserFamily::chromium,
            .programs = vivaldi_programs,
            .policy_path = "etc/chromium/policies/managed",
            .other_policy_path = "etc/opt/vivaldi/policies/managed",
            .level_key = "WebRtcIPHandling",
            .sites_since = 133,
            .system_manifests = "etc/chromium/native-messaging-hosts",
            .other_system_manifests = "etc/opt/vivaldi/native-messaging-hosts",
            .user_manifests = ".config/vivaldi/NativeMessagingHosts",
            .registry_key = "SOFTWARE\\Policies\\Vivaldi",
            .mac_domain = "com.vivaldi.Vivaldi"},
    Browser{.id = "firefox",
            .name = "Firefox",
            .family = BrowserFamily::firefox,
            .programs = firefox_programs,
            .policy_path = "etc/firefox/policies/policies.json",
            .system_manifests = "usr/lib/mozilla/native-messaging-hosts",
            .other_system_manifests = "usr/lib64/mozilla/native-messaging-hosts",
            .user_manifests = ".mozilla/native-messaging-hosts",
            .registry_key = "SOFTWARE\\Policies\\Mozilla\\Firefox",
            .mac_domain = "org.mozilla.firefox"},
};

}  // namespace

const Browser& settings_owner() {
  static constexpr Browser owner{.id = settings_id,
                                 .name = "icelock's settings",
                                 .family = BrowserFamily::chromium,
                                 .policy_path = "etc/icelock/icelock.json"};
  return owner;
}

std::span<const Browser> browsers() {
  return table;
}

const Browser* find_browser(std::string_view id) {
  const auto* found = std::ranges::find(table, id, &Browser::id);
  return found == table.end() ? nullptr : found;
}

const Browser* browser_of_program(const std::filesystem::path& program) {
  const auto path = program.relative_path();
  const auto is_beside = [&](std::string_view known) {
    return !known.starts_with("usr/bin/") &&
           path.parent_path() == std::filesystem::path(known).parent_path();
  };
  for (const Browser& browser : table) {
    if (std::ranges::any_of(browser.programs,
                            [&](Path known) { return path == known || is_beside(known); })) {
      return &browser;
    }
  }
  const auto is_above = [&](Path file) {
    return path.parent_path() == std::filesystem::path(file).parent_path().parent_path();
  };
  return std::ranges::any_of(distribution_files, is_above) ? find_browser("firefox") : nullptr;
}

std::span<const std::string_view> firefox_distribution_files() {
  return distribution_files;
}

}  // namespace icelock::policy
