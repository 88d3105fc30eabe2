// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/store.h"

// One policy in the words of what admins already run. Nothing of this machine is read but for an
// empty folder that rendering makes and removes; nothing is changed. The same policy gives the same
// bytes. What the keys are and mean is render's business: an exporter passes on each key that it
// finds.

namespace icelock::policy {

struct ExportFile {
  std::string path;  ///< below the folder of the export
  std::string bytes;

  bool operator==(const ExportFile&) const = default;
};

struct Export {
  std::vector<ExportFile> files;   ///< by path; exactly one when the format is no folder
  std::vector<std::string> notes;  ///< what a person must know: what a format leaves out, and why
};

struct ExportFormat {
  std::string_view name;
  std::string_view what;  ///< for people
  bool folder = false;    ///< several files
};

std::span<const ExportFormat> export_formats();
/// nullptr when there is no such format.
const ExportFormat* find_export_format(std::string_view name);

/// Errors: not_found for an unknown browser id or format, or when the format has a place for none
/// of the browsers; io when the empty folder cannot be made.
Result<Export> export_policy(const Wanted& wanted, std::string_view format);

}  // namespace icelock::policy
