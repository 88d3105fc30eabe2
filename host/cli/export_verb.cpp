// SPDX-License-Identifier: Apache-2.0
#include "cli/export_verb.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <ostream>

#include "app/paint.h"
#include "app/policy_work.h"
#include "base/file.h"
#include "cli/policy_verbs.h"
#include "guard/settings_document.h"
#include "policy/export.h"

namespace icelock::app {
namespace {

namespace fs = std::filesystem;

Result<policy::Wanted> wanted(const ExportOptions& options, std::vector<std::string>& notes) {
  std::vector<std::string> ids = options.browsers;
  if (ids.empty()) {
    for (const policy::Browser& browser : policy::browsers()) ids.emplace_back(browser.id);
  }
  const auto browsers = TRY(chosen_browsers("/", ids));
  if (options.document.empty()) {
    return same_level(browsers, options.level.value_or(default_level));
  }
  const auto document = TRY(guard::load_policy_document(options.document));
  policy::Wanted result = document.wanted(browsers);
  if (result.empty()) {
    return fail(Code::not_found, "the document says nothing about these browsers",
                options.document.string());
  }
  if (!document.settings.empty()) {
    notes.emplace_back(
        "settings of the guard (floor, hold, modes, protected, an own extension's id) are left "
        "out: "
        "they are for /etc/icelock/icelock.json, and icelock apply writes them there");
  }
  return result;
}

Result<void> fill(const fs::path& folder, const policy::Export& made) {
  for (const policy::ExportFile& file : made.files) {
    TRY(replace_file(folder / file.path, file.bytes));
  }
  return {};
}

// Filled beside its place, so that nobody meets half of it.
Result<void> write_folder(const fs::path& target, const policy::Export& made) {
  std::error_code problem;
  if (fs::exists(target, problem) && !fs::is_empty(target, problem)) {
    return fail(Code::bad_request, "there is something already, which an export does not replace",
                target.string());
  }
  const fs::path whole = fs::absolute(target).lexically_normal();
  const fs::path parent = (whole.has_filename() ? whole : whole.parent_path()).parent_path();
  fs::create_directories(parent, problem);
  std::string stage = (parent / ".icelock-export-XXXXXX").string();
  if (::mkdtemp(stage.data()) == nullptr) {
    return fail_errno(errno, "cannot make a folder", parent.string());
  }
  Result<void> done = fill(stage, made);
  if (done && (::chmod(stage.c_str(), 0755) != 0 || ::rename(stage.c_str(), whole.c_str()) != 0)) {
    done = fail_errno(errno, "cannot put the folder in place", target.string());
  }
  if (!done) fs::remove_all(stage, problem);
  return done;
}

Result<void> write(const ExportOptions& options, const policy::Export& made, bool folder,
                   std::ostream& out) {
  if (!options.out.empty()) {
    return folder ? write_folder(options.out, made)
                  : replace_file(options.out, made.files.front().bytes);
  }
  if (folder) {
    return fail(Code::bad_request, "this format is several files: name a folder with -o",
                options.format);
  }
  write_bytes(out, made.files.front().bytes);
  if (!out) return fail(Code::io, "cannot write the export", "standard output");
  return {};
}

void tell(const ExportOptions& options, const policy::Export& made, bool folder,
          const Output& output) {
  for (const std::string& note : made.notes) output.err << "note: " << printable(note) << "\n";
  if (options.out.empty()) return;
  ipc::Json files = ipc::Json::array();
  for (const policy::ExportFile& file : made.files) {
    files.push_back(folder ? (options.out / file.path).string() : options.out.string());
  }
  if (output.json) return print_success({{"files", files}, {"notes", made.notes}}, output.out);
  for (const ipc::Json& file : files) output.out << printable(file.get<std::string>()) << "\n";
}

}  // namespace

int run_export(const ExportOptions& options, const Output& output) {
  std::vector<std::string> notes;
  const auto said = wanted(options, notes);
  if (!said) return report_error(said.error(), output);
  auto made = policy::export_policy(*said, options.format);
  if (!made) return report_error(made.error(), output);
  made->notes.insert(made->notes.begin(), notes.begin(), notes.end());
  const bool folder = policy::find_export_format(options.format)->folder;
  if (const auto done = write(options, *made, folder, output.out); !done) {
    return report_error(done.error(), output);
  }
  tell(options, *made, folder, output);
  return 0;
}

std::string export_formats_help() {
  std::string text;
  for (const policy::ExportFormat& format : policy::export_formats()) {
    text += (text.empty() ? "" : "; ") + std::string(format.name) + ": " + std::string(format.what);
  }
  return text;
}

}  // namespace icelock::app
