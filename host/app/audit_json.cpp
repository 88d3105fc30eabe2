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
          {"wanted", level_or_null(row.wanted ? row.wanted->level : std::nullopt)},
          {"installed", level_or_null(row.level)},
          {"exceptions", sites_json(row.exceptions)},
          {"problems", audit.problems_of(row.browser->id)},
          {"in_force", std::move(keys)}};
}

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"id", finding.rule->id},
                    {"severity", name(finding.rule->severity)},
                    {"browser", finding.browser},
                    {"file", finding.file},
                    {"key", finding.key},
                    {"text", finding.text},
                    {"fix", finding.fix},
                    {"maps_to", finding.rule->maps_to}});
  }
  return list;
}

std::string text_at(const Json& json, const char* member) {
  return json.at(member).get<std::string>();
}

std::string_view sarif_level(std::string_view severity) {
  return severity == name(policy::Severity::info) ? "note" : severity;
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
  return {{"drift", audit.drift()},
          {"clean", audit.clean()},
          {"compared", audit.compared},
          {"browsers", std::move(rows)},
          {"findings", to_json(audit.findings)}};
}

void add_findings(const Audit& more, Json& audit) {
  for (Json& finding : to_json(more.findings)) audit.at("findings").push_back(std::move(finding));
  audit["drift"] = audit.at("drift").get<bool>() || more.drift();
  audit["clean"] = audit.at("clean").get<bool>() && more.clean();
}

Json audit_sarif(const Json& audit, std::string_view version) {
  Json rules = Json::array();
  std::map<std::string_view, std::size_t> index;
  for (const Rule& rule : policy::audit_rules()) {
    index[rule.id] = rules.size();
    Json row = {{"id", rule.id},
                {"shortDescription", {{"text", rule.title}}},
                {"defaultConfiguration", {{"level", sarif_level(name(rule.severity))}}}};
    if (!rule.fix.empty()) row["help"] = {{"text", rule.fix}};
    if (!rule.maps_to.empty()) row["properties"] = {{"tags", {rule.maps_to}}};
    rules.push_back(std::move(row));
  }
  Json results = Json::array();
  for (const Json& finding : audit.at("findings")) {
    const std::string id = text_at(finding, "id");
    const std::string key = text_at(finding, "key");
    const std::string fix = text_at(finding, "fix");
    const std::string text = (key.empty() ? "" : key + ": ") + text_at(finding, "text") + "." +
                             (fix.empty() ? "" : " " + fix);
    Json row = {{"ruleId", id},
                {"level", sarif_level(text_at(finding, "severity"))},
                {"message", {{"text", text}}},
                {"properties", {{"browser", finding.at("browser")}}}};
    if (const auto known = index.find(id); known != index.end()) row["ruleIndex"] = known->second;
    if (const auto uri = uri_of(text_at(finding, "file"))) {
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

std::string audit_metrics(const Json& audit, long now) {
  std::map<std::string, std::size_t> counts;  // by labels
  for (const Json& finding : audit.at("findings")) {
    ++counts["rule=\"" + text_at(finding, "id") + "\",severity=\"" + text_at(finding, "severity") +
             "\",browser=\"" + text_at(finding, "browser") + "\""];
  }
  std::string text =
      "# HELP icelock_audit_findings Findings of icelock audit, by rule and browser.\n"
      "# TYPE icelock_audit_findings gauge\n";
  for (const auto& [labels, count] : counts) {
    text += "icelock_audit_findings{" + labels + "} " + std::to_string(count) + "\n";
  }
  text +=
      "# HELP icelock_audit_drift 1 when what was asked for does not hold.\n"
      "# TYPE icelock_audit_drift gauge\n"
      "icelock_audit_drift " +
      std::to_string(audit.at("drift").get<bool>()) + "\n" +
      "# HELP icelock_audit_compared 1 when there was something to compare the machine with.\n"
      "# TYPE icelock_audit_compared gauge\n"
      "icelock_audit_compared " +
      std::to_string(audit.value("compared", true)) + "\n" +
      "# HELP icelock_audit_level Level in force: 0 unrestricted, 1 default_route_only, 2 "
      "force_proxy, 3 disabled, -1 none for every page.\n"
      "# TYPE icelock_audit_level gauge\n";
  for (const Json& row : audit.at("browsers")) {
    const Json& word = row.at("installed");
    const auto level = word.is_null() ? std::nullopt : parse_level(word.get<std::string>());
    text += "icelock_audit_level{browser=\"" + text_at(row, "id") + "\"} " +
            (level ? std::to_string(static_cast<int>(*level)) : "-1") + "\n";
  }
  return text + "# HELP icelock_audit_time_seconds When the audit was made.\n" +
         "# TYPE icelock_audit_time_seconds gauge\n" + "icelock_audit_time_seconds " +
         std::to_string(now) + "\n";
}

}  // namespace icelock::app
