// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "ipc/peer.h"

namespace icelock::ipc {

/// One thing that icelockd can be asked, the same through both of its doors: as a frame with
/// `"op": name`, and as an HTTP request, whose body is the object of arguments.
struct Operation {
  std::string_view name;
  Right right = Right::root;  ///< the least that the caller must have
  std::string_view method;    ///< of HTTP; empty: frames only
  std::string_view path;
};

/// docs/protocol.md lists them; a test holds that list against this one.
std::span<const Operation> operations();
/// nullptr when there is none.
const Operation* find_operation(std::string_view name);

}  // namespace icelock::ipc
