// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "ipc/message.h"
#include "policy/audit.h"

// An audit in the forms that others read.

namespace icelock::app {

/// The members of docs/protocol.md, "Audit".
ipc::Json audit_json(const policy::Audit& audit);
/// The other way round. Error: internal when it is no audit; a rule of a newer icelockd is kept as
/// the warning that it at least is.
Result<policy::Audit> audit_of(const ipc::Json& json);

/// SARIF 2.1.0, one run.
ipc::Json audit_sarif(const policy::Audit& audit, std::string_view version);
/// For the textfile collector of Prometheus' node_exporter; `now`: seconds since 1970.
std::string audit_metrics(const policy::Audit& audit, long now);

}  // namespace icelock::app
