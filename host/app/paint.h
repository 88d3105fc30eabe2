// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <streambuf>
#include <string>
#include <string_view>

// Text on a terminal.

namespace icelock::app {

/// What others named, a link or a file say, must not steer the terminal or turn a line around: all
/// but tabs of the control characters (C0, DEL, C1), the line and paragraph separators, Unicode's
/// bidirectional controls, and bytes that are no UTF-8, each as "?".
std::string printable(std::string_view text);

/// Colours, as PlainText lets through. Where they are off the text stays as it is.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string red(std::string_view text) const { return in("31", text); }
  std::string green(std::string_view text) const { return in("32", text); }
  std::string yellow(std::string_view text) const { return in("33", text); }
  std::string cyan(std::string_view text) const { return in("36", text); }
  std::string bold(std::string_view text) const { return in("1", text); }

 private:
  std::string in(std::string_view colour, std::string_view text) const;
  bool on_;
};

/// Between a stream and where its text goes, for as long as this lives: every line is printable(),
/// and no escape sequence passes but Paint's own, which nobody else can forge.
class PlainText : public std::streambuf {
 public:
  /// `stream` is borrowed.
  explicit PlainText(std::ostream& stream);
  ~PlainText() override;
  PlainText(const PlainText&) = delete;
  PlainText& operator=(const PlainText&) = delete;

  std::streambuf& below() const { return below_; }

 protected:
  int_type overflow(int_type c) override;
  int sync() override;

 private:
  std::ostream& stream_;
  std::streambuf& below_;
  std::string line_;  ///< what came since the last end of a line or flush
};

/// Bytes that are no text for people, a file say: as they are, around a PlainText on `stream`.
void write_bytes(std::ostream& stream, std::string_view bytes);

}  // namespace icelock::app
