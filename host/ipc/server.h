// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/connection.h"
#include "ipc/door.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// Serves the doors of icelockd: many clients on Unix sockets, all inside the owner's poll loop.
/// One thread; nothing here blocks. A client has one request under way: the next one stays in its
/// own socket until the answer to this one has been read. Who is above a limit, too slow with a
/// request, or does not read what was sent, is refused or dropped.
class Server {
 public:
  using Clock = Connection::Clock;
  using Client = std::uint64_t;  ///< never used twice, whatever the door

  struct Events {
    /// Wants one answer(), now or later. `left`: the client went away or waited too long, and
    /// nobody would hear it. What it throws is answered with `internal`.
    std::function<void(Client, const Peer&, const Operation&, Json arguments, std::stop_token left)>
        request;
    std::function<void(Client)> gone;  ///< for whatever reason, once
    /// What the server refused by itself, and whom it dropped, for the log.
    std::function<void(const Peer&, const Error&)> refused;
  };

  /// Errors: bad_request (no listening Unix stream socket), io.
  static Result<std::unique_ptr<Server>> open(std::vector<Door> doors, Events events);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Who waits for an answer through a door of one request is told that there will be none. Calls
  /// no event.
  ~Server();

  /// Readable when handle() has something to do.
  int fd() const { return epoll_.get(); }
  /// Milliseconds until the next deadline; -1 when there is none.
  int timeout(Clock::time_point now) const;
  /// Reads, writes, serves one request of each user who has some (for 10 ms at most: others wait
  /// for the next call), drops who is late, and accepts. Calls the events.
  void handle(Clock::time_point now);

  /// Answers the client's request. Without effect when it left or waited too long.
  void answer(Client client, const Result<Json>& result);
  /// Tells subscribers something. One that does not read gets the newest of these only.
  void push(std::span<const Client> clients, std::string_view event, const Json& content);
  std::size_t size() const { return connections_.size(); }
  /// Lets clients in through another socket from now on; those that are in stay. `number`: as the
  /// doors came to open(). Errors as there.
  Result<void> move_door(std::size_t number, Fd listening);

 private:
  using Phase = Connection::Phase;
  using Time = Connection::Time;
  Server(std::vector<Door> doors, Fd epoll, Events events);
  void accept_all(Client number, Clock::time_point now);
  void admit(OpenDoor& door, Fd socket);
  void read_from(Connection& connection);
  bool may_be_served(const Connection& connection) const;
  void serve_users();
  bool serve(Connection& connection);
  bool begin_stream(Connection& connection);
  void refuse(Connection& connection, const Error& reason);
  void drop(Connection& connection, const Error& reason);
  void enqueue(Connection& connection);
  void settle(Connection& connection);
  void keep_deadlines(Clock::time_point now);
  void pass_deadline(Connection& connection, Clock::time_point now);
  void bury();

  Fd epoll_;
  Events events_;
  std::deque<OpenDoor> doors_;
  std::map<Client, Connection> connections_;
  std::deque<Client> queue_;  ///< who waits to be served, each once
  Client last_client_ = 0;    ///< smaller numbers are the doors'
};

}  // namespace icelock::ipc
