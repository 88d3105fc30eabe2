// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_verb.h"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "app/audit_json.h"
#include "app/machine_link.h"
#include "app/paint.h"
#include "app/policy_work.h"
#include "cli/verbs.h"

namespace icelock::app {
namespace {

using ipc::Json;
using policy::Severity;

constexpr int found_exit = 4;
constexpr std::chrono::seconds service_limit{30};

Result<Json> look(const PolicyOptions& options) {
  if (auto answer = ask_service(options.root, "audit", Json::object(), service_limit)) {
    return *std::move(answer);
  }
  const auto audit = TRY(audit_machine(options.root));
  return audit_json(audit);
}

std::string text_at(const Json& json, const char* member) {
  return printable(json.at(member).get<std::string>());
}

std::string painted(const std::string& severity, const Paint& paint) {
  if (severity == name(Severity::error)) return paint.red(severity);
  return severity == name(Severity::warning) ? paint.yellow(severity) : paint.cyan(severity);
}

void print_finding(const Json& finding, const Paint& paint, std::ostream& out) {
  out << "  " << painted(text_at(finding, "severity"), paint) << " " << text_at(finding, "id");
  for (const char* member : {"file", "key"}) {
    if (const auto text = text_at(finding, member); !text.empty()) out << ", " << text;
  }
  out << "\n    " << text_at(finding, "text") << ".\n";
  if (const auto fix = text_at(finding, "fix"); !fix.empty()) out << "    " << fix << "\n";
  if (const auto item = text_at(finding, "maps_to"); !item.empty()) out << "    (" << item << ")\n";
}

void print_findings(const Json& audit, std::string_view browser, const Paint& paint,
                    std::ostream& out) {
  for (const Severity severity : {Severity::error, Severity::warning, Severity::info}) {
    for (const Json& finding : audit.at("findings")) {
      if (finding.at("browser") != browser || finding.at("severity") != name(severity)) continue;
      print_finding(finding, paint, out);
    }
  }
}

void print_browser(const Json& row, const Json& audit, const Paint& paint, std::ostream& out) {
  const std::string id = text_at(row, "id");
  const policy::Browser* browser = policy::find_browser(id);
  out << paint.bold(browser == nullptr ? id : browser->name) << ": "
      << (row.at("installed").is_null() ? "no policy sets a level for every page"
                                        : text_at(row, "installed") + " by policy")
      << (row.at("wanted").is_null() ? "" : ", asked for: " + text_at(row, "wanted"))
      << (row.at("present").get<bool>() ? "" : " (not installed)") << "\n";
  std::string shown;
  for (const Json& key : row.at("in_force")) {
    const std::string file = text_at(key, "file");
    if (file != shown) out << "  " << file << "\n";
    shown = file;
    out << "    " << text_at(key, "key") << " = " << printable(ipc::text_of(key.at("value")))
        << "\n";
  }
  print_findings(audit, id, paint, out);
}

std::string verdict(const Json& audit, const Paint& paint) {
  if (audit.at("clean").get<bool>()) return paint.green("As intended.");
  if (audit.at("drift").get<bool>()) return paint.red("What was asked for does not hold.");
  const bool mistakes = std::ranges::any_of(audit.at("findings"), [](const Json& each) {
    return each.at("severity") != name(Severity::info) && each.at("id") != "not_compared";
  });
  return paint.yellow(mistakes ? "Mistakes found." : "No mistake found, and nothing to compare.");
}

void print_text(const Json& audit, const Paint& paint, std::ostream& out) {
  const Json& rows = audit.at("browsers");
  for (const Json& row : rows) print_browser(row, audit, paint, out);
  // A sandboxed browser, or a profile of one that is gone, has findings and no policy.
  for (const policy::Browser& browser : policy::browsers()) {
    const auto is_its = [&](const char* member) {
      return [&browser, member](const Json& each) { return each.at(member) == browser.id; };
    };
    if (std::ranges::any_of(rows, is_its("id"))) continue;
    if (std::ranges::none_of(audit.at("findings"), is_its("browser"))) continue;
    out << paint.bold(browser.name) << "\n";
    print_findings(audit, browser.id, paint, out);
  }
  print_findings(audit, "", paint, out);
  if (rows.empty()) out << "No browser that icelock knows, and no policy for one.\n";
  out << verdict(audit, paint) << "\n";
}

// File names may hold any bytes.
int print(const PolicyOptions& options, AuditForm form, std::string_view version, Json audit,
          std::ostream& out) {
  if (options.root == "/") {
    policy::Audit running;
    policy::add_running(running, options.home);
    add_findings(running, audit);
  }
  if (form == AuditForm::json) {
    print_success(audit, out);
  } else if (form == AuditForm::sarif) {
    out << ipc::text_of(audit_sarif(audit, version), 2) << "\n";
  } else if (form == AuditForm::metrics) {
    out << audit_metrics(audit, std::time(nullptr));
  } else {
    print_text(audit, Paint(options.colour), out);
  }
  return audit.at("clean").get<bool>() ? 0 : found_exit;
}

}  // namespace

int run_audit(const PolicyOptions& options, AuditForm form, std::string_view version,
              std::ostream& out, std::ostream& err) {
  // What others' programs take for SARIF or metrics must not hold words of an error.
  const auto failed = [&](const Error& error, bool json) {
    return report_error(error, {out, err, json, options.colour});
  };
  auto audit = look(options);
  if (!audit) return failed(audit.error(), form == AuditForm::json);
  try {
    const int code = print(options, form, version, std::move(*audit), out);
    // A file that a full disk cut short must not pass for a whole one.
    return out.flush() ? code : failed({Code::io, "cannot write the audit", ""}, false);
  } catch (const Json::exception& problem) {
    return failed({Code::internal, "icelockd gave no audit", problem.what()}, false);
  }
}

}  // namespace icelock::app
