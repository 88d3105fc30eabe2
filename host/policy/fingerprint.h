// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace icelock::policy {

/// A short name for some texts in an order (FNV-1a, 64 bits): tells apart what chance or a mistake
/// changed, and is no protection against who can choose the texts.
class Fingerprint {
 public:
  Fingerprint& add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0xff);  // ends a text: no UTF-8 holds this byte
    return *this;
  }

  /// 16 hexadecimal digits.
  std::string digits() const {
    std::string text(16, '0');
    std::uint64_t rest = hash_;
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, rest >>= 4) {
      *digit = "0123456789abcdef"[rest & 15];
    }
    return text;
  }

 private:
  void step(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3U; }

  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace icelock::policy
