// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "ipc/codec.h"
#include "ipc/door.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// A door, and how much there is at it.
struct OpenDoor : Door {
  struct Count {
    std::size_t clients = 0;
    std::size_t requests = 0;  ///< under way
    std::size_t streams = 0;
  };
  Count all;
  std::map<uid_t, Count> of_users;
  std::optional<std::chrono::steady_clock::time_point> resume;  ///< nobody is let in before
};

/// One client of a door: its socket, what is still to be sent to it, and how far its request is.
/// Nothing here blocks. The owner reads, keeps the deadlines, and forgets what is closed.
struct Connection {
  using Clock = std::chrono::steady_clock;
  using Time = std::optional<Clock::time_point>;

  /// Answering: not all of the answer is sent. Draining: it was refused, and what it still sends is
  /// thrown away. Closed: nothing is read or sent any more.
  enum class Phase { reading, asked, answering, stream, draining, closed };

  Connection(std::uint64_t number, OpenDoor& at, Fd its_socket, Peer who);

  /// Says the answer, or why there is none; once it is sent, `next` begins.
  void answer(const Result<Json>& result, Phase next);
  /// Tells what was not asked for. Who does not read gets the newest of these only.
  void push(const std::string& event);
  void send(std::string_view bytes);
  /// Sends what can be sent now.
  void flush();
  /// How much its user has at the door, itself included.
  OpenDoor::Count& of_user() const;
  /// What it waits for, as epoll(7) has it.
  std::uint32_t wanted() const;

  const std::uint64_t id;  ///< never used twice, whatever the door
  OpenDoor& door;
  const Peer peer;
  const Fd socket;
  const std::unique_ptr<Codec> codec;
  Phase phase = Phase::reading;
  Time due;       ///< the phase's deadline; of a stream, when it wants to be heard from
  Time write_by;  ///< the deadline of what is unsent
  std::stop_source left;
  std::uint32_t watched = 0;  ///< what epoll was told of wanted()
  bool queued = false;        ///< what came waits for its turn
  bool is_request = false;    ///< counted as such, from the asking until the answer is sent
  bool is_stream = false;     ///< counted as such

 private:
  void enter(Phase next);

  Phase after_ = Phase::reading;
  std::string unsent_;
  std::string event_;  ///< for when all else is sent
};

}  // namespace icelock::ipc
