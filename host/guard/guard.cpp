// SPDX-License-Identifier: Apache-2.0
#include "guard/guard.h"

#include <algorithm>
#include <utility>

namespace icelock::guard {

Guard::Guard(Settings settings, Memory memory)
    : seen_(fail(Code::probe_failed, "the network has not been looked at yet")), memory_(memory) {
  state_.settings = std::move(settings);
}

bool Guard::look(const Result<net::Network>& network, bool event, Clock::time_point now,
                 const std::optional<net::Network>& by_user) {
  if (event) last_event_ = now;
  seen_ = network;
  seen_by_user_ = by_user;
  const bool first_look = state_.serial == 0;
  return update(first_look, now);
}

bool Guard::set(Settings settings, bool chosen, Clock::time_point now) {
  if (settings == state_.settings) return false;
  state_.settings = std::move(settings);
  update(chosen, now);
  // The person must see the new settings even when the levels did not change.
  ++state_.serial;
  return true;
}

bool Guard::ripe(Clock::time_point now) const {
  return looser_since_ && (now - std::max(last_event_, *looser_since_) >= quiet ||
                           now - *looser_since_ >= longest_wait);
}

bool Guard::update(bool may_loosen, Clock::time_point now) {
  Decision next =
      decide(seen_, state_.settings, memory_, now, seen_by_user_ ? &*seen_by_user_ : nullptr);
  const Decision& current = state_.decision;
  const bool looser = next.chromium < current.chromium || next.firefox < current.firefox;
  if (!looser) {
    looser_since_.reset();
  } else if (!looser_since_) {
    looser_since_ = now;
  }
  if (looser && !may_loosen && !ripe(now)) {
    next.chromium = std::max(next.chromium, current.chromium);
    next.firefox = std::max(next.firefox, current.firefox);
  } else {
    looser_since_.reset();
  }

  std::optional<net::Network> network;
  if (seen_) network = *seen_;
  const bool same = state_.serial != 0 && next.chromium == current.chromium &&
                    next.firefox == current.firefox && next.reasons == current.reasons &&
                    network == state_.network;
  state_.network = std::move(network);
  state_.decision = std::move(next);
  if (!same) ++state_.serial;
  return !same;
}

std::optional<Clock::time_point> Guard::due() const {
  std::optional<Clock::time_point> when;
  if (seen_)
    when = memory_.held_until;  // without a network to judge, the end of a hold changes nothing
  if (looser_since_) {
    const auto loosen =
        std::min(std::max(last_event_, *looser_since_) + quiet, *looser_since_ + longest_wait);
    when = when ? std::min(*when, loosen) : loosen;
  }
  return when;
}

}  // namespace icelock::guard
