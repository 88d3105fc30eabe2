// SPDX-License-Identifier: Apache-2.0
#include "check/check_browser.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "ipc/message.h"

namespace icelock::app {
namespace {

using ipc::Json;
using std::filesystem::path;

Result<void> write(const path& file, const std::string& text) {
  std::error_code problem;
  std::filesystem::create_directories(file.parent_path(), problem);
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) return fail(Code::io, "cannot write the browser's profile", file.string());
  return {};
}

// What "remember this decision" stores (Chromium content_settings_pref_provider.cc, 1 is allow).
std::string chromium_preferences(const std::string& granted_origin) {
  const Json exceptions = {{granted_origin + ",*", {{"setting", 1}}}};
  return Json{
      {"profile", {{"content_settings", {{"exceptions", {{"media_stream_mic", exceptions}}}}}}}}
      .dump();
}

// permissions.manager.defaultsUrl: a list of permissions that a profile starts with (Firefox
// PermissionManager.cpp). Given names resolve to this machine only, so that nothing is fetched.
std::string firefox_preferences(const path& permissions) {
  const Json prefs = {
      {"permissions.manager.defaultsUrl", "file://" + permissions.string()},
      {"network.dns.native-is-localhost", true},
      {"network.trr.mode", 5},
      {"network.captive-portal-service.enabled", false},
      {"network.connectivity-service.enabled", false},
      {"datareporting.policy.dataSubmissionEnabled", false},
      {"browser.shell.checkDefaultBrowser", false},
      {"browser.aboutwelcome.enabled", false},
      {"app.update.enabled", false},
  };
  std::string text;
  for (const auto& [name, value] : prefs.items()) {
    text += "user_pref(\"" + name + "\", " + value.dump() + ");\n";
  }
  return text;
}

std::vector<std::string> clean_environment(const path& folder) {
  std::vector<std::string> words = {"LANG=C.UTF-8", "MOZ_CRASHREPORTER_DISABLE=1"};
  const char* search = std::getenv("PATH");
  words.push_back(std::string("PATH=") + (search != nullptr ? search : "/usr/bin:/bin"));
  for (const char* name : {"HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
                           "XDG_RUNTIME_DIR"}) {
    words.push_back(std::string(name) + "=" + folder.string());
  }
  return words;
}

}  // namespace

path program_of(const policy::Browser& browser, const path& root) {
  for (const std::string_view program : browser.programs) {
    path file = root / program;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

Result<BrowserStart> prepare_browser(const policy::Browser& browser, const path& program,
                                     const path& folder, const std::string& url,
                                     const std::string& granted_origin) {
  const path profile = folder / "profile";
  BrowserStart start{.argv = {program.string()}, .environment = clean_environment(folder)};
  if (browser.family == BrowserFamily::firefox) {
    const path permissions = folder / "permissions";
    auto written = write(permissions, "origin\tmicrophone\t1\t" + granted_origin + "\n");
    if (written) written = write(profile / "user.js", firefox_preferences(permissions));
    if (!written) return std::unexpected(written.error());
    for (const char* word : {"--headless", "--no-remote", "--profile"})
      start.argv.emplace_back(word);
    start.argv.push_back(profile.string());
  } else {
    TRY(write(profile / "Default" / "Preferences", chromium_preferences(granted_origin)));
    for (const char* word :
         {"--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-extensions", "--password-store=basic",
          "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"}) {
      start.argv.emplace_back(word);
    }
    if (::geteuid() == 0) start.argv.emplace_back("--no-sandbox");
    start.argv.push_back("--user-data-dir=" + profile.string());
  }
  // Not the URL itself: everybody may read a command line, and with it could answer for the page.
  const path first = folder / "start.html";
  const auto written =
      write(first, "<!doctype html><meta http-equiv=\"refresh\" content=\"0;url=" + url + "\">\n");
  if (!written) return std::unexpected(written.error());
  start.argv.push_back("file://" + first.string());
  return start;
}

}  // namespace icelock::app
