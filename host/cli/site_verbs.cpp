// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <ostream>
#include <thread>
#include <utility>

#include "app/machine_link.h"
#include "cli/verbs.h"
#include "policy/browsers.h"

// sites, allow and deny: the service's work, in words.

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::chrono::seconds service_limit{5};

Result<Json> ask(const std::filesystem::path& root, std::string_view op, const Json& arguments) {
  if (auto answer = ask_service(root, op, arguments, service_limit)) return std::move(*answer);
  return fail(Code::unavailable,
              "exceptions for sites need the service icelockd, and it does not run here; start it "
              "and let it manage policies",
              "\"manage_policies\": true in /etc/icelock/icelock.json");
}

Result<std::string> pattern_of(const std::string& text) {
  auto pattern = policy::normal_pattern(text);
  if (!pattern) pattern.error().object = text;
  return pattern;
}

int print(const Output& output, const Json& answer) {
  Json json = {{"v", ipc::protocol_version}, {"ok", true}};
  json.update(answer);
  output.out << ipc::text_of(json) << '\n';
  return 0;
}

std::string in_words(std::uint64_t seconds) {
  using Unit = std::pair<std::uint64_t, const char*>;
  constexpr std::array units = {Unit{86400, " d"}, Unit{3600, " h"}, Unit{60, " min"}};
  for (const auto& [length, unit] : units) {
    const bool about_one = seconds <= length && seconds + length / 60 >= length;
    if (seconds >= 2 * length || about_one) {
      return std::to_string((seconds + length / 2) / length) + unit;
    }
  }
  return std::to_string(seconds) + " s";
}

bool holds(const Json& list, std::string_view pattern) {
  return list.is_array() && std::ranges::any_of(list, [&](const Json& site) {
           return ipc::string_field(site, "pattern").value_or("") == pattern;
         });
}

/// The names of the browsers whose installed policy holds the exception.
std::vector<std::string> browsers_with(const Json& audit, std::string_view pattern) {
  std::vector<std::string> names;
  for (const Json& row : audit.value("browsers", Json::array())) {
    if (!holds(row.value("exceptions", Json::array()), pattern)) continue;
    const auto* browser = policy::find_browser(ipc::string_field(row, "id").value_or(""));
    if (browser != nullptr) names.emplace_back(browser->name);
  }
  return names;
}

/// What was read back, once the service has written it, or after some patience.
std::vector<std::string> wait_for(const std::filesystem::path& root, std::string_view pattern) {
  constexpr int attempts = 20;
  constexpr std::chrono::milliseconds pause{100};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto audit = ask(root, "audit", Json::object());
    if (!audit) break;
    if (auto names = browsers_with(*audit, pattern); !names.empty()) return names;
    std::this_thread::sleep_for(pause);
  }
  return {};
}

void explain(const std::filesystem::path& root, const std::string& pattern, Level level,
             const Json& state, std::ostream& out) {
  const Json decision = state.value("decision", Json::object());
  const auto decided = parse_level(ipc::string_field(decision, "chromium").value_or(""));
  if (decided && *decided <= level) {
    out << "Nothing is locked more than that now; the exception counts when something is.\n";
  } else if (const auto names = wait_for(root, pattern); !names.empty()) {
    std::string text = "In force";
    for (const char* separator = " in "; const std::string& name : names) {
      text += std::exchange(separator, ", ") + name;
    }
    out << text << ", also in tabs that are open.\n";
  } else {
    out << "Not in force yet: icelock audit and icelock status say why.\n";
  }
  out << "It holds for pages of this site and for every frame inside them, for all users of this "
         "machine.\nWhen it ends, tabs that were open keep it until they are closed. Firefox has "
         "no "
         "exceptions for sites.\n";
}

}  // namespace

std::string site_line(const Json& site) {
  const auto word = [&](const char* field) { return ipc::string_field(site, field).value_or(""); };
  const auto left = ipc::unsigned_field(site, "seconds_left");
  const std::string by = word("by");
  return word("pattern") + " may go as far as " + word("level") + ", " +
         (left          ? in_words(*left) + " left"
          : by == "you" ? std::string("until denied")
                        : std::string("without an end")) +
         ", allowed by " +
         (by == "you"     ? "you"
          : by == "admin" ? "the admin"
                          : "another user");
}

int run_sites(const std::filesystem::path& root, const Output& output) {
  const auto answer = ask(root, "sites", Json::object());
  if (!answer) return report_error(answer.error(), output);
  const Json sites = answer->value("sites", Json::array());
  if (output.json) return print(output, *answer);
  for (const Json& site : sites) output.out << site_line(site) << '\n';
  if (sites.empty()) output.out << "No site may do more than the lock allows.\n";
  if (answer->value("possible", Json()) != true) {
    output.out
        << "Exceptions are not possible: the service does not manage the policy of a browser "
           "of the Chromium family (\"manage_policies\": true in "
           "/etc/icelock/icelock.json).\n";
  }
  return 0;
}

int run_allow(const std::filesystem::path& root, const SiteWish& wish, const Output& output) {
  const auto pattern = pattern_of(wish.pattern);
  if (!pattern) return report_error(pattern.error(), output);
  const Level level = wish.level.value_or(Level::default_route_only);
  Json arguments = {{"pattern", *pattern}, {"level", name(level)}};
  if (wish.seconds) arguments["seconds"] = *wish.seconds;
  const auto answer = ask(root, "allow", arguments);
  if (!answer) return report_error(answer.error(), output);
  if (output.json) return print(output, *answer);
  output.out << "Allowed: " << *pattern << " may go as far as " << name(level)
             << (wish.seconds ? " for " + in_words(*wish.seconds) : " until denied") << ".\n";
  explain(root, *pattern, level, answer->value("state", Json::object()), output.out);
  return 0;
}

int run_deny(const std::filesystem::path& root, const std::string& text, const Output& output) {
  const auto pattern = pattern_of(text);
  if (!pattern) return report_error(pattern.error(), output);
  const auto answer = ask(root, "deny", {{"pattern", *pattern}});
  if (!answer) return report_error(answer.error(), output);
  if (output.json) return print(output, *answer);
  const Json sites = answer->value("state", Json::object()).value("sites", Json::object());
  output.out << "Denied: " << *pattern << ".\n";
  if (holds(sites.value("granted", Json::array()), *pattern)) {
    output.out << "It stays in force, because somebody else allowed it too.\n";
  } else {
    output.out
        << "New tabs obey the lock there again; tabs that were open keep the exception until "
           "they are closed.\n";
  }
  return 0;
}

}  // namespace icelock::app
