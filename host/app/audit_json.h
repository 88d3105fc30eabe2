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
/// Adds what was found besides: its findings, and what they make of drift and clean.
void add_findings(const policy::Audit& more, ipc::Json& audit);

/// These two take such members. They throw Json::exception where they are none.
/// SARIF 2.1.0, one run.
ipc::Json audit_sarif(const ipc::Json& audit, std::string_view version);
/// For the textfile collector of Prometheus' node_exporter; `now`: seconds since 1970.
std::string audit_metrics(const ipc::Json& audit, long now);

}  // namespace icelock::app
