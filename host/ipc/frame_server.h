// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/frame.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// The frames door: many clients on one Unix socket, served inside the owner's poll loop. One
/// thread; nothing here blocks. A client that stops in the middle of a frame, or does not read what
/// it was sent, is dropped at its deadline; so is one above the limits.
class FrameServer {
 public:
  using Clock = std::chrono::steady_clock;
  using Client = std::uint64_t;  ///< never used twice

  struct Limits {
    std::size_t clients = 1024;
    std::size_t clients_of_one_user = 512;  ///< root excepted
    std::size_t unsent_bytes = 4 << 20;
    int frames_a_turn = 2;  ///< of one client in one handle(): who sends many waits, nobody else
    std::chrono::milliseconds read_deadline{5000};   ///< from a frame's first byte to its last
    std::chrono::milliseconds write_deadline{5000};  ///< from the first byte that had to wait
  };

  struct Events {
    std::function<void(Client, const Peer&, std::string_view payload)> request;
    std::function<void(Client)> gone;  ///< for whatever reason, once
    /// A client that was refused or dropped, for the log.
    std::function<void(const Peer&, const Error&)> refused;
  };

  /// `listening`: a Unix stream socket that listens. Error: io.
  static Result<FrameServer> open(Fd listening, Events events, Limits limits);

  /// Readable when handle() has something to do.
  int fd() const { return epoll_.get(); }
  /// Milliseconds until the next deadline; -1 when there is none.
  int timeout(Clock::time_point now) const;
  /// Accepts, reads, writes, and drops who is late. Calls the events.
  void handle(Clock::time_point now);

  /// Queues one payload and sends what the socket takes. Unknown clients are ignored: they left.
  void send(Client client, std::string_view payload);
  std::size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    Client client = 0;
    Fd socket;
    Peer peer;
    FrameDecoder decoder;
    std::string unsent;
    std::optional<Clock::time_point> read_by;
    std::optional<Clock::time_point> write_by;
    bool more = false;  ///< whole frames wait for their turn
    bool doomed =
        false;  ///< to be dropped at the end of handle(); nothing is read or sent any more
  };

  FrameServer(Fd listening, Fd epoll, Events events, Limits limits);
  void accept_all();
  bool admit(const Peer& peer);
  void read_from(Connection& connection);
  void serve_frames(Connection& connection);
  void flush(Connection& connection);
  void doom(Connection& connection, const Error& reason);
  void bury();

  Fd listening_;
  Fd epoll_;
  Events events_;
  Limits limits_;
  std::map<Client, Connection> connections_;
  std::map<uid_t, std::size_t> of_user_;
  Client last_client_ = 0;
};

}  // namespace icelock::ipc
