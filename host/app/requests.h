// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "app/presence.h"
#include "guard/settings.h"
#include "ipc/message.h"

// Arguments of operations that both icelock-host and icelockd serve.

namespace icelock::app {

struct ModeRequest {
  guard::Mode mode = guard::Mode::locked;
  std::optional<Level> level;
};

/// Error: bad_request, with the field.
Result<ModeRequest> parse_mode_request(const ipc::Json& body);

/// Everything but the browser. Errors: bad_request, too_large, with the field.
Result<Report> parse_report(const ipc::Json& body);
ipc::Json report_json(const Report& report);

/// A level by its name when the field is there and not null.
Result<std::optional<Level>> level_field(const ipc::Json& body, const char* field);

}  // namespace icelock::app
