// SPDX-License-Identifier: Apache-2.0
#include "app/audit_json.h"

#include <algorithm>
#include <map>

#include "app/requests.h"

namespace icelock::app {
namespace {

using ipc::Json;
using policy::Audit;
using policy::BrowserAudit;
using policy::Finding;
using policy::Rule;
using policy::Severity;

Json level_or_null(const std::optional<Level>& level) {
  return level ? Json(name(*level)) : Json(nullptr);
}

Json to_json(const BrowserAudit& row, const Audit& audit) {
  Json keys = Json::array();
  for (const policy::Winner& winner : row.in_force) {
    Json value = Json::parse(winner.value, nullptr, false);
    if (value.is_discarded()) value = winner.value;
    keys.push_back({{"key", winner.key}, {"value", std::move(value)}, {"file", winner.file}});
  }
  return {{"id", row.browser->id},
          {"present", row.installed_here},
          {"wanted",
           level_or_null(row.wanted && row.wanted->states_level ? std::optional(row.wanted->level)
                                                                : std::nullopt)},
          {"installed", level_or_null(row.level)},
          {"exceptions", sites_json(row.exceptions)},
          {"problems", audit.problems_of(row.browser->id)},
          {"in_force", std::move(keys)}};
}

std::optional<Level> level_at(const Json& row, const char* member) {
  const Json& value = row.at(member);
  return value.is_null() ? std::nullopt : parse_level(value.get<std::string>());
}

const Rule* rule_of(const std::string& id) {
  static constexpr Rule newer{"newer", Severity::warning, "A rule of a newer icelockd", ""};
  const auto rules = policy::audit_rules();
  const auto found = std::ranges::find(rules, id, &Rule::id);
  return found == rules.end() ? &newer : &*found;
}

std::string_view sarif_level(Severity severity) {
  return severity == Severity::info ? "note" : name(severity);
}

// A file: URI (RFC 8089); what is no path, such as a process, has none.
std::optional<std::string> uri_of(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string uri = "file://";
  for (const char c : path) {
    if (plain.find(c) != plain.npos) {
      uri += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    uri += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return uri;
}

}  // namespace

Json audit_json(const Audit& audit) {
  Json rows = Json::array();
  for (const BrowserAudit& row : audit.browsers) rows.push_back(to_json(row, audit));
  Json findings = Json::array();
  for (const Finding& finding : audit.findings) {
    findings.push_back({{"id", finding.rule->id},
                        {"severity", name(finding.rule->severity)},
                        {"browser", finding.browser},
                        {"file", finding.file},
                        {"key", finding.key},
                        {"text", finding.text},
                        {"fix", finding.fix},
                        {"maps_to", finding.rule->maps_to}});
  }
  return {{"drift", audit.drift()},
          {"clean", audit.clean()},
          {"compared", audit.compared},
          {"browsers", std::move(rows)},
          {"findings", std::move(findings)}};
}

Result<Audit> audit_of(const Json& json) {
  try {
    Audit audit;
    audit.compared = json.value("compared", true);  // one of before there was such a member was
    for (const Json& row : json.at("browsers")) {
      const auto* browser = policy::find_browser(row.at("id").get<std::string>());
      if (browser == nullptr) continue;
      const auto wanted = level_at(row, "wanted");
      audit.browsers.push_back(
          {.browser = browser,
           .installed_here = row.at("present").get<bool>(),
           .wanted = wanted ? std::optional<policy::WantedPolicy>(*wanted) : std::nullopt,
           .level = level_at(row, "installed"),
           .exceptions = {},
           .in_force = {}});
      for (const Json& key : row.at("in_force")) {
        audit.browsers.back().in_force.push_back({key.at("key").get<std::string>(),
                                                  key.at("value").dump(),
                                                  key.at("file").get<std::string>()});
      }
    }
    for (const Json& each : json.at("findings")) {
      const auto text = [&](const char* member) { return each.at(member).get<std::string>(); };
      audit.findings.push_back({rule_of(text("id")), text("browser"), text("file"), text("key"),
                                text("text"), text("fix")});
    }
    return audit;
  } catch (const Json::exception& problem) {
    return fail(Code::internal, "icelockd gave no audit", problem.what());
  }
}

Json audit_sarif(const Audit& audit, std::string_view version) {
  Json rules = Json::array();
  std::map<std::string_view, std::size_t> index;
  for (const Rule& rule : policy::audit_rules()) {
    index[rule.id] = rules.size();
    Json row = {{"id", rule.id},
                {"shortDescription", {{"text", rule.title}}},
                {"defaultConfiguration", {{"level", sarif_level(rule.severity)}}}};
    if (!rule.fix.empty()) row["help"] = {{"text", rule.fix}};
    if (!rule.maps_to.empty()) row["properties"] = {{"tags", {rule.maps_to}}};
    rules.push_back(std::move(row));
  }
  Json results = Json::array();
  for (const Finding& finding : audit.findings) {
    std::string text = finding.key.empty() ? "" : finding.key + ": ";
    text += finding.text + ".";
    if (!finding.fix.empty()) text += " " + finding.fix;
    Json row = {{"ruleId", finding.rule->id},
                {"level", sarif_level(finding.rule->severity)},
                {"message", {{"text", text}}},
                {"properties", {{"browser", finding.browser}}}};
    if (const auto known = index.find(finding.rule->id); known != index.end()) {
      row["ruleIndex"] = known->second;
    }
    if (const auto uri = uri_of(finding.file)) {
      row["locations"] =
          Json::array({{{"physicalLocation", {{"artifactLocation", {{"uri", *uri}}}}}}});
    }
    results.push_back(std::move(row));
  }
  return {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       Json::array({{{"tool",
                      {{"driver",
                        {{"name", "icelock"}, {"version", version}, {"rules", std::move(rules)}}}}},
                     {"columnKind", "utf16CodeUnits"},
                     {"results", std::move(results)}}})}};
}

std::string audit_metrics(const Audit& audit, long now) {
  std::map<std::pair<std::string_view, std::string>, std::size_t> counts;
  for (const Finding& finding : audit.findings) {
    ++counts[{finding.rule->id, finding.browser}];
  }
  std::string text =
      "# HELP icelock_audit_findings Findings of icelock audit, by rule and browser.\n"
      "# TYPE icelock_audit_findings gauge\n";
  for (const auto& [key, count] : counts) {
    text += "icelock_audit_findings{rule=\"" + std::string(key.first) + "\",severity=\"" +
            std::string(name(rule_of(std::string(key.first))->severity)) + "\",browser=\"" +
            key.second + "\"} " + std::to_string(count) + "\n";
  }
  text +=
      "# HELP icelock_audit_drift 1 when what was asked for does not hold.\n"
      "# TYPE icelock_audit_drift gauge\n"
      "icelock_audit_drift " +
      std::to_string(audit.drift()) + "\n" +
      "# HELP icelock_audit_compared 1 when there was something to compare the machine with.\n"
      "# TYPE icelock_audit_compared gauge\n"
      "icelock_audit_compared " +
      std::to_string(audit.compared) + "\n" +
      "# HELP icelock_audit_level Level in force: 0 unrestricted, 1 default_route_only, 2 "
      "force_proxy, 3 disabled, -1 none for every page.\n"
      "# TYPE icelock_audit_level gauge\n";
  for (const BrowserAudit& row : audit.browsers) {
    text += "icelock_audit_level{browser=\"" + std::string(row.browser->id) + "\"} " +
            (row.level ? std::to_string(static_cast<int>(*row.level)) : "-1") + "\n";
  }
  return text + "# HELP icelock_audit_time_seconds When the audit was made.\n" +
         "# TYPE icelock_audit_time_seconds gauge\n" + "icelock_audit_time_seconds " +
         std::to_string(now) + "\n";
}

}  // namespace icelock::app
