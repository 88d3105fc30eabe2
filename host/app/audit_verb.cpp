// SPDX-License-Identifier: Apache-2.0
#include "app/audit_verb.h"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "app/audit_json.h"
#include "app/machine_link.h"
#include "app/paint.h"
#include "app/policy_work.h"
#include "app/verbs.h"

namespace icelock::app {
namespace {

using policy::Audit;
using policy::BrowserAudit;
using policy::Finding;
using policy::Severity;

constexpr int found_exit = 4;
constexpr std::chrono::seconds service_limit{30};

Result<Audit> look(const PolicyOptions& options) {
  const auto answer = ask_service(options.root, "audit", ipc::Json::object(), service_limit);
  if (!answer) return audit_machine(options.root);
  if (!*answer) return std::unexpected(answer->error());
  return audit_of(**answer);
}

std::string severity_word(Severity severity, const Paint& paint) {
  const std::string word(name(severity));
  if (severity == Severity::error) return paint.red(word);
  return severity == Severity::warning ? paint.yellow(word) : paint.cyan(word);
}

void print_finding(const Finding& finding, const Paint& paint, std::ostream& out) {
  out << "  " << severity_word(finding.rule->severity, paint) << " " << finding.rule->id;
  if (!finding.file.empty()) out << ", " << printable(finding.file);
  if (!finding.key.empty()) out << ", " << printable(finding.key);
  out << "\n    " << printable(finding.text) << ".\n";
  if (!finding.fix.empty()) out << "    " << printable(finding.fix) << "\n";
  if (!finding.rule->maps_to.empty()) out << "    (" << finding.rule->maps_to << ")\n";
}

void print_findings(const Audit& audit, std::string_view browser, const Paint& paint,
                    std::ostream& out) {
  for (const Severity severity : {Severity::error, Severity::warning, Severity::info}) {
    for (const Finding& finding : audit.findings) {
      if (finding.browser != browser || finding.rule->severity != severity) continue;
      print_finding(finding, paint, out);
    }
  }
}

void print_browser(const BrowserAudit& row, const Audit& audit, const Paint& paint,
                   std::ostream& out) {
  out << paint.bold(row.browser->name) << ": "
      << (row.level ? std::string(name(*row.level)) + " by policy"
                    : "no policy sets a level for every page")
      << (row.wanted && row.wanted->states_level
              ? ", asked for: " + std::string(name(row.wanted->level))
              : "")
      << (row.installed_here ? "" : " (not installed)") << "\n";
  std::string_view file;
  for (const policy::Winner& winner : row.in_force) {
    if (winner.file != file) out << "  " << printable(file = winner.file) << "\n";
    out << "    " << printable(winner.key) << " = " << printable(winner.value) << "\n";
  }
  print_findings(audit, row.browser->id, paint, out);
}

std::string verdict(const Audit& audit, const Paint& paint) {
  if (audit.clean()) return paint.green("As intended.");
  if (audit.drift()) return paint.red("What was asked for does not hold.");
  const bool mistakes = std::ranges::any_of(audit.findings, [](const Finding& each) {
    return each.rule->severity != Severity::info && each.rule->id != "not_compared";
  });
  return paint.yellow(mistakes ? "Mistakes found." : "No mistake found, and nothing to compare.");
}

void print_text(const Audit& audit, const Paint& paint, std::ostream& out) {
  std::string shown;
  for (const BrowserAudit& row : audit.browsers) {
    print_browser(row, audit, paint, out);
    shown += " " + std::string(row.browser->id) + " ";
  }
  // A sandboxed browser, or a profile of one that is gone, has findings and no policy.
  for (const policy::Browser& browser : policy::browsers()) {
    if (shown.find(" " + std::string(browser.id) + " ") != shown.npos) continue;
    const auto problems = std::ranges::any_of(
        audit.findings, [&](const Finding& each) { return each.browser == browser.id; });
    if (!problems) continue;
    out << paint.bold(browser.name) << "\n";
    print_findings(audit, browser.id, paint, out);
  }
  print_findings(audit, "", paint, out);
  if (audit.browsers.empty()) out << "No browser that icelock knows, and no policy for one.\n";
  out << verdict(audit, paint) << "\n";
}

void print(std::ostream& out, const ipc::Json& json) {
  // File names may hold any bytes.
  out << ipc::text_of(json, 2) << "\n";
}

}  // namespace

int run_audit(const PolicyOptions& options, AuditForm form, std::string_view version,
              std::ostream& out, std::ostream& err) {
  auto audit = look(options);
  if (!audit) {
    // What others' programs take for SARIF or metrics must not hold words of an error.
    return report_error(audit.error(), {out, err, form == AuditForm::json, options.colour});
  }
  if (options.root == "/") policy::add_running(*audit, options.home);
  if (form == AuditForm::json) {
    ipc::Json json = {{"v", 1}, {"ok", true}};
    json.update(audit_json(*audit));
    print(out, json);
  } else if (form == AuditForm::sarif) {
    print(out, audit_sarif(*audit, version));
  } else if (form == AuditForm::metrics) {
    out << audit_metrics(*audit, std::time(nullptr));
  } else {
    print_text(*audit, Paint(options.colour), out);
  }
  // A file that a full disk cut short must not pass for a whole one.
  if (!out.flush()) {
    return report_error({Code::io, "cannot write the audit", ""},
                        {out, err, false, options.colour});
  }
  return audit->clean() ? 0 : found_exit;
}

}  // namespace icelock::app
