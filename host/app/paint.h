// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// Text on a terminal.

namespace icelock::app {

class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string red(std::string_view text) const { return in("\x1b[31m", text); }
  std::string green(std::string_view text) const { return in("\x1b[32m", text); }
  std::string yellow(std::string_view text) const { return in("\x1b[33m", text); }
  std::string cyan(std::string_view text) const { return in("\x1b[36m", text); }
  std::string bold(std::string_view text) const { return in("\x1b[1m", text); }

 private:
  std::string in(std::string_view colour, std::string_view text) const {
    if (!on_) return std::string(text);
    return std::string(colour) + std::string(text) + "\x1b[0m";
  }
  bool on_;
};

/// Somebody else's file must not be able to steer the terminal: no control characters, neither
/// those of ASCII nor those that UTF-8 writes as C2 80 to C2 9F.
inline std::string printable(std::string_view line) {
  std::string text;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool second = text.ends_with('\xc2') && byte >= 0x80 && byte < 0xa0;
    if (second) text.pop_back();
    text += second || (byte < 0x20 && c != '\t') || byte == 0x7f ? '?' : c;
  }
  return text;
}

}  // namespace icelock::app
