// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/verbs.h"

namespace icelock::app {

struct ExportOptions {
  std::string format;                 ///< a name of policy::export_formats()
  std::filesystem::path document;     ///< empty: `level` for each browser
  std::optional<Level> level;         ///< empty: default_level
  std::vector<std::string> browsers;  ///< ids; empty: all that icelock knows, or the document names
  std::filesystem::path out;          ///< empty: standard output, which no folder goes to
};

/// Writes a policy in one format. With `out` the files that were written are listed instead. A
/// folder must not be there yet, or be empty: it appears as a whole or not at all.
int run_export(const ExportOptions& options, const Output& output);

/// "json, linux, ...", with what each is, for the help text.
std::string export_formats_help();

}  // namespace icelock::app
