// SPDX-License-Identifier: Apache-2.0
#include "ipc/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

namespace icelock::ipc {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds turn{10};
// How long nobody is let in when the system has no descriptor or memory for one more.
constexpr milliseconds accept_pause{50};

bool control(const Fd& epoll, int operation, const Fd& fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return ::epoll_ctl(epoll.get(), operation, fd.get(), &event) == 0;
}

int option(const Fd& socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

Result<void> prepare(const Fd& socket) {
  if (option(socket, SO_DOMAIN) != AF_UNIX || option(socket, SO_TYPE) != SOCK_STREAM ||
      option(socket, SO_ACCEPTCONN) != 1) {
    return fail(Code::bad_request, "not a listening Unix stream socket");
  }
  // systemd passes sockets that wait.
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno(errno, "cannot use the socket");
  }
  return {};
}

bool has_room(const Peer& peer, std::size_t all, std::size_t most, std::size_t theirs,
              std::size_t most_of_one_user) {
  if (peer.uid == uid_t{0}) return all < 2 * most;
  return all < most && theirs < most_of_one_user;
}

}  // namespace

Server::Server(std::vector<Door> doors, Fd epoll, Events events)
    : epoll_(std::move(epoll)), events_(std::move(events)), last_client_(doors.size() - 1) {
  for (Door& door : doors) doors_.emplace_back(OpenDoor{std::move(door), {}, {}, {}});
}

Result<std::unique_ptr<Server>> Server::open(std::vector<Door> doors, Events events) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  for (Client number = 0; number < doors.size(); ++number) {
    const Fd& listening = doors[number].listening;
    TRY(prepare(listening));
    if (!control(epoll, EPOLL_CTL_ADD, listening, number, EPOLLIN)) {
      return fail_errno(errno, "cannot watch the socket");
    }
  }
  return std::unique_ptr<Server>(new Server(std::move(doors), std::move(epoll), std::move(events)));
}

Result<void> Server::move_door(std::size_t number, Fd listening) {
  TRY(prepare(listening));
  if (!control(epoll_, EPOLL_CTL_ADD, listening, number, EPOLLIN)) {
    return fail_errno(errno, "cannot watch the socket");
  }
  OpenDoor& door = doors_.at(number);
  door.listening = std::move(listening);
  door.resume.reset();
  return {};
}

Server::~Server() {
  for (auto& [client, connection] : connections_) {
    if (!connection.door.one_request || connection.phase != Phase::asked) continue;
    connection.answer(fail(Code::unavailable, "icelockd is stopping"), Phase::closed);
  }
}

int Server::timeout(Clock::time_point now) const {
  Time next;
  const auto wait_for = [&](const Time& other) {
    if (other && (!next || *other < *next)) next = other;
  };
  for (const OpenDoor& door : doors_) wait_for(door.resume);
  for (const auto& [client, connection] : connections_) {
    const bool has_work = connection.queued && may_be_served(connection);
    if (has_work || connection.phase == Phase::closed) return 0;
    if (!connection.queued) wait_for(connection.due);
    wait_for(connection.write_by);
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void Server::handle(Clock::time_point now) {
  std::array<epoll_event, 64> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
  const std::span events(ready.data(), static_cast<std::size_t>(std::max(count, 0)));
  for (const epoll_event& event : events) {
    const auto found = connections_.find(event.data.u64);
    if (found == connections_.end()) continue;
    Connection& connection = found->second;
    if ((event.events & EPOLLOUT) != 0) connection.flush();
    // Who hung up hears no answer: what it asked for and left is not done.
    if ((event.events & (EPOLLHUP | EPOLLERR)) != 0) connection.phase = Phase::closed;
    if ((event.events & EPOLLIN) != 0) read_from(connection);
    settle(connection);
  }
  serve_users();
  keep_deadlines(now);
  bury();
  // Last, so that who comes again at the end of a connection finds its place free.
  for (const epoll_event& event : events) {
    if (event.data.u64 < doors_.size()) accept_all(event.data.u64, now);
  }
}

void Server::accept_all(Client number, Clock::time_point now) {
  OpenDoor& door = doors_[number];
  // Bounded, so that somebody who connects without end does not keep the others waiting.
  for (int i = 0; i < 64; ++i) {
    Fd socket(::accept4(door.listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      // The connection stays in the queue, and the door readable.
      control(epoll_, EPOLL_CTL_MOD, door.listening, number, 0);
      door.resume = now + accept_pause;
      return;
    }
    admit(door, std::move(socket));
  }
}

void Server::admit(OpenDoor& door, Fd socket) {
  Peer peer = peer_of(socket.get());
  const auto theirs = door.of_users.find(user_of(peer));
  const bool room = has_room(peer, door.all.clients, door.limits.clients,
                             theirs == door.of_users.end() ? 0 : theirs->second.clients,
                             door.limits.clients_of_one_user);
  const Client client = ++last_client_;
  if (room && control(epoll_, EPOLL_CTL_ADD, socket, client, EPOLLIN)) {
    const auto entry =
        connections_.try_emplace(client, client, door, std::move(socket), std::move(peer)).first;
    entry->second.watched = EPOLLIN;
    ++door.all.clients;
    ++entry->second.of_user().clients;
    return;
  }
  // The answer fits into the empty buffer of a new socket, or is lost.
  Connection turned_away(client, door, std::move(socket), std::move(peer));
  const Error busy{Code::busy, "too many connections", ""};
  turned_away.answer(std::unexpected(busy), Phase::closed);
  events_.refused(turned_away.peer, busy);
}

void Server::read_from(Connection& connection) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (connection.phase == Phase::draining && n > 0) return;
  if (connection.phase == Phase::reading) {
    if (n > 0) {
      connection.codec->feed({buffer.data(), static_cast<std::size_t>(n)});
      return enqueue(connection);
    }
    const auto unfinished = connection.codec->unfinished();
    if (n == 0 && unfinished) return refuse(connection, *unfinished);
  }
  connection.phase = Phase::closed;  // it left; nothing to report
}

void Server::enqueue(Connection& connection) {
  if (std::exchange(connection.queued, true)) return;
  queue_.push_back(connection.id);
}

bool Server::may_be_served(const Connection& connection) const {
  return connection.phase == Phase::reading &&
         connection.of_user().requests < connection.door.limits.requests_of_one_user;
}

// One request of each user, and then the owner looks at the network again: who asks much, or over
// many connections, waits for nobody but themselves.
void Server::serve_users() {
  const auto until = Clock::now() + turn;
  std::set<uid_t> served;
  std::deque<Client> passed_over;
  for (auto left = queue_.size(); left > 0 && Clock::now() < until; --left) {
    const Client client = queue_.front();
    queue_.pop_front();
    const auto found = connections_.find(client);
    if (found == connections_.end() || found->second.phase == Phase::closed) continue;
    Connection& connection = found->second;
    if (served.contains(user_of(connection.peer)) || !may_be_served(connection)) {
      passed_over.push_back(client);
      continue;
    }
    connection.queued = false;
    if (serve(connection)) served.insert(user_of(connection.peer));
    settle(connection);
  }
  queue_.insert(queue_.begin(), passed_over.begin(), passed_over.end());
}

// False: there was no whole request.
bool Server::serve(Connection& connection) {
  const Limits& limits = connection.door.limits;
  std::string reply;
  auto next = connection.codec->next(reply);
  if (!next) {
    refuse(connection, next.error());
    return true;
  }
  std::optional<Codec::Asked>& whole = *next;
  if (!whole) {
    const bool begun = connection.codec->unfinished().has_value();
    if (begun && !connection.due) connection.due = Clock::now() + limits.read;
    if (!reply.empty()) connection.send(reply);
    return false;
  }
  Codec::Asked& asked = *whole;
  connection.phase = Phase::asked;
  connection.due = limits.answer ? Time(Clock::now() + *limits.answer) : std::nullopt;
  connection.is_request = true;
  ++connection.of_user().requests;
  const auto answer_refusal = [&](const Error& error) {
    events_.refused(connection.peer, error);
    answer(connection.id, std::unexpected(error));
  };
  if (!asked.arguments) {
    answer_refusal(asked.arguments.error());
  } else if (asked.operation->name == "subscribe" && !begin_stream(connection)) {
    refuse(connection, {Code::busy, "too many event streams", ""});
  } else {
    try {
      events_.request(connection.id, connection.peer, *asked.operation, *std::move(asked.arguments),
                      connection.left.get_token());
    } catch (...) {
      answer_refusal({Code::internal, "the request could not be served", ""});
    }
  }
  return true;
}

// Counts it among the door's streams, where it is to be one. False: there are too many.
bool Server::begin_stream(Connection& connection) {
  OpenDoor& door = connection.door;
  if (!door.one_request) return true;
  OpenDoor::Count& theirs = connection.of_user();
  if (!has_room(connection.peer, door.all.streams, door.limits.streams, theirs.streams,
                door.limits.streams_of_one_user)) {
    return false;
  }
  connection.is_stream = true;
  ++door.all.streams;
  ++theirs.streams;
  return true;
}

void Server::answer(Client client, const Result<Json>& result) {
  const auto found = connections_.find(client);
  if (found == connections_.end() || found->second.phase != Phase::asked) return;
  Connection& connection = found->second;
  const Phase last = connection.is_stream && result ? Phase::stream : Phase::closed;
  connection.answer(result, connection.door.one_request ? last : Phase::reading);
  settle(connection);
}

void Server::push(std::span<const Client> clients, std::string_view event, const Json& content) {
  std::map<const OpenDoor*, std::string> texts;
  for (const Client client : clients) {
    const auto found = connections_.find(client);
    if (found == connections_.end()) continue;
    Connection& connection = found->second;
    if (connection.phase == Phase::closed || connection.phase == Phase::draining) continue;
    std::string& text = texts[&connection.door];
    if (text.empty()) text = connection.codec->event(event, content);
    connection.push(text);
    settle(connection);
  }
}

void Server::refuse(Connection& connection, const Error& reason) {
  events_.refused(connection.peer, reason);
  connection.answer(std::unexpected(reason), Phase::draining);
  settle(connection);
}

void Server::drop(Connection& connection, const Error& reason) {
  if (connection.phase == Phase::closed) return;
  connection.phase = Phase::closed;
  events_.refused(connection.peer, reason);
}

// After anything that moved a connection on.
void Server::settle(Connection& connection) {
  const bool under_way = connection.phase == Phase::asked || connection.phase == Phase::answering;
  if (connection.is_request && !under_way) {
    connection.is_request = false;
    --connection.of_user().requests;
    if (connection.phase == Phase::reading && connection.codec->unfinished()) enqueue(connection);
  }
  const std::uint32_t wanted = connection.wanted();
  if (wanted == connection.watched) return;
  connection.watched = wanted;
  control(epoll_, EPOLL_CTL_MOD, connection.socket, connection.id, wanted);
}

void Server::keep_deadlines(Clock::time_point now) {
  for (Client number = 0; number < doors_.size(); ++number) {
    OpenDoor& door = doors_[number];
    if (!door.resume || *door.resume > now) continue;
    door.resume.reset();
    control(epoll_, EPOLL_CTL_MOD, door.listening, number, EPOLLIN);
  }
  for (auto& [client, connection] : connections_) {
    if (connection.write_by && *connection.write_by <= now) {
      drop(connection, {Code::timeout, "does not read what it is sent", ""});
    } else if (connection.due && *connection.due <= now && !connection.queued) {
      pass_deadline(connection, now);
    }
  }
}

void Server::pass_deadline(Connection& connection, Clock::time_point now) {
  if (connection.phase == Phase::stream) {
    connection.due = now + connection.door.limits.heartbeat;
    // What is unsent shows as well that the connection lives.
    if (!connection.write_by) connection.send(connection.codec->heartbeat());
    return settle(connection);
  }
  if (connection.phase == Phase::draining) {
    connection.phase = Phase::closed;
    return;
  }
  if (connection.phase == Phase::asked) {
    connection.left.request_stop();
    return refuse(connection, {Code::timeout, "icelockd is too busy", ""});
  }
  const Error late{Code::timeout, "the request did not come in time", ""};
  connection.door.one_request ? refuse(connection, late) : drop(connection, late);
}

void Server::bury() {
  std::vector<Client> gone;
  for (auto entry = connections_.begin(); entry != connections_.end();) {
    Connection& connection = entry->second;
    if (connection.phase != Phase::closed) {
      ++entry;
      continue;
    }
    settle(connection);
    connection.left.request_stop();
    OpenDoor& door = connection.door;
    OpenDoor::Count& theirs = connection.of_user();
    if (connection.is_stream) {
      --door.all.streams;
      --theirs.streams;
    }
    --door.all.clients;
    if (--theirs.clients == 0) door.of_users.erase(user_of(connection.peer));
    gone.push_back(entry->first);
    entry = connections_.erase(entry);
  }
  for (const Client client : gone) events_.gone(client);
}

}  // namespace icelock::ipc
