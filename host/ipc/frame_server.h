// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/frame.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// The frames door: many clients on one Unix socket, served inside the owner's poll loop. One
/// thread; nothing here blocks. A client has one request under way: the next one stays in its own
/// socket until the answer to this one has been read. A client that stops in the middle of a frame,
/// or does not read what it was sent, is dropped at its deadline; so is one above the limits.
class FrameServer {
 public:
  using Clock = std::chrono::steady_clock;
  using Client = std::uint64_t;  ///< never used twice

  struct Limits {
    std::size_t clients = 1024;
    std::size_t clients_of_one_user = 512;  ///< root excepted
    std::size_t requests_of_one_user = 8;   ///< under way at once, over all connections
    std::chrono::milliseconds turn{10};     ///< what is not served by then waits for handle() again
    std::chrono::milliseconds read_deadline{5000};   ///< from a frame's first byte to its last
    std::chrono::milliseconds write_deadline{5000};  ///< from the first byte that had to wait
  };

  struct Events {
    /// Wants one answer(), now or later. `left`: the client went away, and nobody would hear it.
    std::function<void(Client, const Peer&, std::string_view payload, std::stop_token left)>
        request;
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
  /// Accepts, reads, writes, serves one request of each user who has some, and drops who is late.
  /// Calls the events.
  void handle(Clock::time_point now);

  /// Answers the client's request. Unknown clients are ignored: they left.
  void answer(Client client, std::string_view payload);
  /// Tells a client something that it did not ask for. One that does not read gets the newest of
  /// these only.
  void push(Client client, std::string_view payload);
  std::size_t size() const { return connections_.size(); }

 private:
  enum class Request { none, asked, answered };  ///< answered: and not all of it is sent
  struct Connection {
    Client client = 0;
    Fd socket;
    Peer peer;
    FrameDecoder decoder;
    std::string unsent;
    std::string push;  ///< for when all else is sent
    std::optional<Clock::time_point> read_by;
    std::optional<Clock::time_point> write_by;
    Request request = Request::none;
    std::stop_source left;
    std::uint32_t watched = 0;  ///< epoll's events
    bool queued = false;        ///< what came waits for its turn
    bool doomed = false;        ///< to be dropped at the end of handle(); nothing is read or sent
  };
  struct User {
    std::size_t clients = 0;
    std::size_t requests = 0;
  };

  FrameServer(Fd listening, Fd epoll, Events events, Limits limits);
  User& user(const Peer& peer);
  void accept_all();
  bool admit(const Peer& peer);
  void read_from(Connection& connection);
  void enqueue(Connection& connection);
  bool may_be_served(const Connection& connection) const;
  void serve_users();
  bool serve_frame(Connection& connection);
  void send(Connection& connection, std::string_view payload);
  void flush(Connection& connection);
  void watch(Connection& connection);
  void doom(Connection& connection, const Error& reason);
  void bury();

  Fd listening_;
  Fd epoll_;
  Events events_;
  Limits limits_;
  std::map<Client, Connection> connections_;
  std::map<uid_t, User> users_;
  std::deque<Client> queue_;  ///< who waits to be served, each once
  Client last_client_ = 0;
};

}  // namespace icelock::ipc
