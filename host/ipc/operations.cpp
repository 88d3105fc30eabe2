// SPDX-License-Identifier: Apache-2.0
#include "ipc/operations.h"

#include <algorithm>
#include <array>

namespace icelock::ipc {
namespace {

constexpr std::array table = {
    Operation{"status", Right::read, "GET", "/v1/status"},
    Operation{"subscribe", Right::read, "GET", "/v1/events"},
    Operation{"report", Right::read, "", ""},
    Operation{"metrics", Right::read, "GET", "/metrics"},
    Operation{"audit", Right::read, "GET", "/v1/audit"},
    Operation{"history", Right::read, "GET", "/v1/history"},
    Operation{"set_mode", Right::mode, "POST", "/v1/mode"},
    Operation{"sites", Right::read, "GET", "/v1/sites"},
    Operation{"allow", Right::mode, "POST", "/v1/allow"},
    Operation{"deny", Right::mode, "POST", "/v1/deny"},
    Operation{"plan", Right::root, "POST", "/v1/plan"},
    Operation{"apply", Right::root, "POST", "/v1/apply"},
    Operation{"revert", Right::root, "POST", "/v1/revert"},
};

}  // namespace

std::span<const Operation> operations() {
  return table;
}

const Operation* find_operation(std::string_view name) {
  const auto* row = std::ranges::find(table, name, &Operation::name);
  return row == table.end() ? nullptr : row;
}

}  // namespace icelock::ipc
