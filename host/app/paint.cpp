// SPDX-License-Identifier: Apache-2.0
#include "app/paint.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <random>

namespace icelock::app {
namespace {

// Before each code of Paint's: known to nobody outside this process.
const std::string& mark() {
  static const std::string text = [] {
    std::random_device random;
    return "\x1b" + std::to_string(random()) + std::to_string(random()) + ";";
  }();
  return text;
}

/// The bytes of the character that `text` begins with; 0: it is none (Unicode 15, table 3-7).
std::size_t length_of(std::string_view text, char32_t& character) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  character = length == 1 ? first : first & (0x7fU >> length);
  for (const char c : text.substr(1, length - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 || byte >= 0xc0) return 0;
    character = character << 6U | (byte & 0x3fU);
  }
  constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xd800 && character < 0xe000;
  return character < least[length] || surrogate || character > 0x10ffff ? 0 : length;
}

bool steers(char32_t c) {
  return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e ||
         c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    char32_t character = 0;
    const std::size_t length = length_of(text, character);
    if (length == 0 || steers(character)) {
      shown += '?';
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
}

std::string Paint::in(std::string_view colour, std::string_view text) const {
  if (!on_) return std::string(text);
  return mark() + std::string(colour) + "m" + std::string(text) + mark() + "0m";
}

PlainText::PlainText(std::ostream& stream) : stream_(stream), below_(*stream.rdbuf(this)) {}

PlainText::~PlainText() {
  PlainText::sync();
  stream_.rdbuf(&below_);
}

PlainText::int_type PlainText::overflow(int_type c) {
  if (c == traits_type::eof()) return traits_type::not_eof(c);
  line_ += traits_type::to_char_type(c);
  return c != '\n' || PlainText::sync() == 0 ? c : traits_type::eof();
}

int PlainText::sync() {
  std::string shown;
  std::string_view rest = line_;
  const bool whole = rest.ends_with('\n');
  if (whole) rest.remove_suffix(1);
  for (;;) {
    const std::size_t begin = rest.find(mark());
    shown += printable(rest.substr(0, begin));
    if (begin == rest.npos) break;
    rest.remove_prefix(begin + mark().size());
    const std::size_t end = rest.find('m') + 1;
    shown += "\x1b[" + std::string(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  if (whole) shown += '\n';
  line_.clear();
  const auto size = static_cast<std::streamsize>(shown.size());
  return below_.sputn(shown.data(), size) == size ? below_.pubsync() : -1;
}

void write_bytes(std::ostream& stream, std::string_view bytes) {
  stream.flush();
  auto* const plain = dynamic_cast<PlainText*>(stream.rdbuf());
  std::streambuf* const below = plain != nullptr ? &plain->below() : stream.rdbuf();
  const auto size = static_cast<std::streamsize>(bytes.size());
  const bool written =
      below->sputn(bytes.data(), static_cast<std::streamsize>(bytes.size())) == size;
  if (!written || below->pubsync() != 0) stream.setstate(std::ios::badbit);
}

}  // namespace icelock::app
