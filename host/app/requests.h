// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "app/presence.h"
#include "guard/settings.h"
#include "ipc/message.h"
#include "policy/sites.h"

// Arguments of operations that both icelock-host and icelockd serve.

namespace icelock::app {

struct ModeRequest {
  guard::Mode mode = guard::Mode::locked;
  std::optional<Level> level;
};

/// Error: bad_request, with the field.
Result<ModeRequest> parse_mode_request(const ipc::Json& body);

struct AllowRequest {
  policy::SiteException site;
  std::chrono::seconds length{0};  ///< 0: until it is denied
};

/// Error: bad_request, with the field.
Result<AllowRequest> parse_allow_request(const ipc::Json& body);
/// The argument `pattern` in its one spelling. Error: bad_request.
Result<std::string> pattern_field(const ipc::Json& body);
ipc::Json sites_json(const std::vector<policy::SiteException>& sites);

/// Everything but the browser. Errors: bad_request, too_large, with the field.
Result<Report> parse_report(const ipc::Json& body);
ipc::Json report_json(const Report& report);

/// A level by its name when the field is there and not null.
Result<std::optional<Level>> level_field(const ipc::Json& body, const char* field);

}  // namespace icelock::app
