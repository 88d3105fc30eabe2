// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string_view>
#include <vector>

#include "guard/decide.h"
#include "net/network.h"

// What several verbs of `icelock` print for people, in the same words.

namespace icelock::app {

/// One line: a label in a column of its own, then the text.
void print_row(std::ostream& out, std::string_view label, std::string_view text);
/// Both families and each tunnel.
void print_network(std::ostream& out, const net::Network& network);
/// "Why", a line for each.
void print_reasons(std::ostream& out, const std::vector<guard::Reason>& reasons);

}  // namespace icelock::app
