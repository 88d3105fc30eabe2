// SPDX-License-Identifier: Apache-2.0
// The verbs that let browsers start icelock-host, and take that away again.
#include <algorithm>
#include <ostream>

#include "app/policy_work.h"
#include "cli/policy_verbs.h"
#include "cli/verbs.h"
#include "guard/settings.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using ipc::Json;
using policy::Browser;
using policy::ManifestChange;

Json to_json(const std::vector<ManifestChange>& changes) {
  Json list = Json::array();
  for (const ManifestChange& change : changes) {
    list.push_back({{"browser", change.browser},
                    {"path", change.path.string()},
                    {"kind", kind_name(change.kind)}});
  }
  return list;
}

constexpr std::string_view how_to_load_chromium =
    "Chromium family: open the browser's extensions page, switch developer mode on, choose \"Load "
    "unpacked\" and take icelock's extension folder.";
constexpr std::string_view how_to_load_firefox =
    "Firefox: open about:debugging, \"This Firefox\", \"Load Temporary Add-on\" and take the "
    "extension's "
    "manifest.json; a signed package stays installed.";

void print_manifests(const PolicyOptions& options, const std::vector<ManifestChange>& changes,
                     const std::vector<std::string>& hints, std::ostream& out) {
  if (options.json) return print_success({{"changes", to_json(changes)}, {"hints", hints}}, out);
  for (const ManifestChange& change : changes) {
    out << change.browser << ": " << change.path.string() << " ("
        << (change.kind == ManifestChange::Kind::none ? std::string_view("nothing to do")
                                                      : kind_name(change.kind))
        << ")\n";
  }
  for (const std::string& hint : hints) out << hint << "\n";
}

std::vector<std::string> hints_for(const std::vector<const Browser*>& browsers) {
  std::vector<std::string> hints;
  for (const BrowserFamily family : {BrowserFamily::chromium, BrowserFamily::firefox}) {
    const bool there = std::any_of(browsers.begin(), browsers.end(), [&](const Browser* browser) {
      return browser->family == family;
    });
    if (!there) continue;
    hints.emplace_back(family == BrowserFamily::chromium ? how_to_load_chromium
                                                         : how_to_load_firefox);
  }
  return hints;
}

}  // namespace

int run_setup(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto browsers = chosen_browsers(options.root, options.browsers);
  if (!browsers) return report(options, browsers.error(), out, err);
  const auto admins = guard::load_settings(
      {.admin = options.root / "etc/icelock/icelock.json", .user = {}, .kept = {}});
  if (!admins) return report(options, admins.error(), out, err);
  const auto changes =
      policy::install_manifests(*browsers, options.scope, options.root, options.home,
                                {options.host_program, admins->extensions});
  if (!changes) return report(options, changes.error(), out, err);
  print_manifests(options, *changes, hints_for(*browsers), out);
  return 0;
}

int run_unsetup(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  PolicyOptions all = options;
  if (all.browsers.empty()) {
    for (const Browser& browser : policy::browsers()) all.browsers.emplace_back(browser.id);
  }
  const auto browsers = chosen_browsers(all.root, all.browsers);
  if (!browsers) return report(options, browsers.error(), out, err);
  auto changes = policy::remove_manifests(*browsers, options.scope, options.root, options.home);
  if (!changes) return report(options, changes.error(), out, err);
  std::erase_if(*changes, [&](const ManifestChange& change) {
    return options.browsers.empty() && change.kind == ManifestChange::Kind::none;
  });
  print_manifests(options, *changes, {}, out);
  return 0;
}

}  // namespace icelock::app
