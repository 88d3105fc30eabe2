// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ice/judge.h"

namespace icelock::app {

/// A candidate as the page read it.
struct Candidate {
  std::string address;  ///< an IP address or a random .local name
  std::string type;     ///< host, srflx, prflx, relay; related; connection (the SDP's c= line)
  std::vector<std::string> sources;  ///< event, sdp, stats
};

/// What one page learnt.
struct PageAnswer {
  bool api = true;
  std::string error;  ///< what its script stumbled over; empty: nothing
  std::vector<Candidate> candidates;
};

/// Decodes what a page sent, strictly: every member, no other, of bounded length. Errors: bad_json,
/// bad_request, too_large.
Result<PageAnswer> parse_answer(std::string_view body);

/// In the words of the model. A relay's own address is nobody's, so it is left out.
ice::Sight sight_of(const PageAnswer& answer);

/// The answers of a browser's two pages: of an origin without and of one with the permission to use
/// the microphone, which is a matter of the browser's profile.
using Answers = std::array<PageAnswer, 2>;

/// The check page, served on 127.0.0.1 at a port and below paths that nobody can guess. A request
/// is answered when its path, method and Host are those of the one task that is open; each task
/// takes one answer per page, of 64 KiB at most. Anything else is 404. Threads of its own.
class CheckPage {
 public:
  /// Errors: unavailable when no port can be had.
  static Result<std::unique_ptr<CheckPage>> start();
  CheckPage(const CheckPage&) = delete;
  CheckPage& operator=(const CheckPage&) = delete;
  ~CheckPage();

  /// The origin whose pages are to have the permission.
  std::string granted_origin() const;
  /// Opens a task, and closes the one before. The page to begin with; it leads to the second one.
  std::string open(const std::vector<std::string>& stun_urls);
  /// Readable when answers() has them.
  int fd() const;
  /// None until both are there.
  std::optional<Answers> answers();

 private:
  struct State;
  explicit CheckPage(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace icelock::app
