// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "app/paint.h"
#include "base/error.h"
#include "guard/decide.h"
#include "ice/exposure.h"
#include "ipc/message.h"
#include "net/network.h"

// What several verbs of `icelock` print for people, in the same words.

namespace icelock::app {

/// Where a verb prints, and how.
struct Output {
  std::ostream& out;
  std::ostream& err;
  bool json = false;
  bool colour = false;

  Paint paint() const { return Paint(colour); }
};

/// One line: a label in a column of its own, then the text.
void print_row(std::ostream& out, std::string_view label, std::string_view text);
/// Both families and each tunnel.
void print_network(std::ostream& out, const net::Network& network);
/// "Why", a line for each.
void print_reasons(std::ostream& out, const std::vector<guard::Reason>& reasons);

/// "your provider's IPv6 address 2001:db8::1, over enp3s0"
std::string in_words(const ice::Exposure& exposure);

/// Prints an error the way every verb does and gives its exit code: a line on `err`, or with json
/// an object on `out` instead.
int report_error(const Error& error, const Output& output);
/// Prints these members as the one object of a verb that went well: {"v":1,"ok":true, ...}.
void print_success(const ipc::Json& members, std::ostream& out);

}  // namespace icelock::app
