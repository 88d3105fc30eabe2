// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "ipc/message.h"

namespace icelock::ipc {
namespace {

constexpr std::uint64_t the_listener = 0;  // clients count from 1
constexpr uid_t nobody_known = static_cast<uid_t>(-1);

bool control(const Fd& epoll, int operation, int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
}

}  // namespace

FrameServer::FrameServer(Fd listening, Fd epoll, Events events, Limits limits)
    : listening_(std::move(listening)),
      epoll_(std::move(epoll)),
      events_(std::move(events)),
      limits_(limits) {}

Result<FrameServer> FrameServer::open(Fd listening, Events events, Limits limits) {
  // systemd passes sockets that wait.
  const int flags = ::fcntl(listening.get(), F_GETFL);
  if (flags < 0 || ::fcntl(listening.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno(errno, "cannot use the socket");
  }
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll || !control(epoll, EPOLL_CTL_ADD, listening.get(), the_listener, EPOLLIN)) {
    return fail_errno(errno, "cannot watch the socket");
  }
  return FrameServer(std::move(listening), std::move(epoll), std::move(events), limits);
}

FrameServer::User& FrameServer::user(const Peer& peer) {
  return users_[peer.uid.value_or(nobody_known)];
}

int FrameServer::timeout(Clock::time_point now) const {
  std::optional<Clock::time_point> next;
  for (const auto& [client, connection] : connections_) {
    if (connection.queued && may_be_served(connection)) return 0;
    const auto read_by = connection.queued ? std::nullopt : connection.read_by;
    for (const auto& deadline : {read_by, connection.write_by}) {
      if (deadline && (!next || *deadline < *next)) next = deadline;
    }
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void FrameServer::handle(Clock::time_point now) {
  std::array<epoll_event, 64> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
    if (ready[i].data.u64 == the_listener) {
      accept_all();
      continue;
    }
    const auto found = connections_.find(ready[i].data.u64);
    if (found == connections_.end() || found->second.doomed) continue;
    Connection& connection = found->second;
    if ((ready[i].events & EPOLLOUT) != 0) flush(connection);
    // Who hung up hears no answer: what it asked for and left is not done.
    if ((ready[i].events & (EPOLLHUP | EPOLLERR)) != 0) connection.doomed = true;
    if ((ready[i].events & EPOLLIN) != 0 && !connection.doomed) read_from(connection);
    watch(connection);
  }
  serve_users();
  for (auto& [client, connection] : connections_) {
    if (connection.read_by && !connection.queued && *connection.read_by <= now) {
      doom(connection, {Code::timeout, "stopped in the middle of a frame", ""});
    }
    if (connection.write_by && *connection.write_by <= now) {
      doom(connection, {Code::timeout, "does not read what it is sent", ""});
    }
  }
  bury();
}

bool FrameServer::admit(const Peer& peer) {
  if (peer.uid == uid_t{0}) return connections_.size() < 2 * limits_.clients;
  const auto theirs = users_.find(peer.uid.value_or(nobody_known));
  return connections_.size() < limits_.clients &&
         (theirs == users_.end() || theirs->second.clients < limits_.clients_of_one_user);
}

void FrameServer::accept_all() {
  // Bounded, so that somebody who connects without end does not keep the others waiting.
  for (int i = 0; i < 64; ++i) {
    Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    const Peer peer = peer_of(socket.get());
    if (!admit(peer) || !control(epoll_, EPOLL_CTL_ADD, socket.get(), last_client_ + 1, EPOLLIN)) {
      const Error error{Code::busy, "too many connections", ""};
      if (const auto frame = encode_frame(failure(nullptr, error))) {
        [[maybe_unused]] const auto sent =
            ::send(socket.get(), frame->data(), frame->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      }
      events_.refused(peer, error);
      continue;
    }
    ++user(peer).clients;
    Connection& connection = connections_[++last_client_];
    connection.client = last_client_;
    connection.socket = std::move(socket);
    connection.peer = peer;
    connection.watched = EPOLLIN;
    if (peer.uid == uid_t{0}) connection.decoder = FrameDecoder(root_accept_limit);
  }
}

void FrameServer::read_from(Connection& connection) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (n <= 0) {
    connection.doomed = true;  // it left; nothing to report
    return;
  }
  connection.decoder.feed({buffer.data(), static_cast<std::size_t>(n)});
  enqueue(connection);
}

void FrameServer::enqueue(Connection& connection) {
  if (std::exchange(connection.queued, true)) return;
  queue_.push_back(connection.client);
}

bool FrameServer::may_be_served(const Connection& connection) const {
  const auto theirs = users_.find(connection.peer.uid.value_or(nobody_known));
  return connection.request == Request::none &&
         theirs->second.requests < limits_.requests_of_one_user;
}

// One request of each user, and then the owner looks at the network again: who asks much, or over
// many connections, waits for nobody but themselves.
void FrameServer::serve_users() {
  const auto until = Clock::now() + limits_.turn;
  std::set<uid_t> served;
  std::deque<Client> passed_over;
  for (auto left = queue_.size(); left > 0 && Clock::now() < until; --left) {
    const Client client = queue_.front();
    queue_.pop_front();
    const auto found = connections_.find(client);
    if (found == connections_.end() || found->second.doomed) continue;
    Connection& connection = found->second;
    const uid_t uid = connection.peer.uid.value_or(nobody_known);
    if (served.contains(uid) || !may_be_served(connection)) {
      passed_over.push_back(client);
      continue;
    }
    connection.queued = false;
    if (serve_frame(connection)) served.insert(uid);
    watch(connection);
  }
  queue_.insert(queue_.begin(), passed_over.begin(), passed_over.end());
}

bool FrameServer::serve_frame(Connection& connection) {
  const auto payload = connection.decoder.next();
  if (!payload) {
    send(connection, failure(nullptr, payload.error()));
    doom(connection, payload.error());
    return false;
  }
  const std::optional<std::string>& whole = *payload;
  if (!whole) {
    if (!connection.decoder.at_boundary() && !connection.read_by) {
      connection.read_by = Clock::now() + limits_.read_deadline;
    }
    return false;
  }
  connection.read_by.reset();
  connection.request = Request::asked;
  ++user(connection.peer).requests;
  events_.request(connection.client, connection.peer, *whole, connection.left.get_token());
  return true;
}

void FrameServer::answer(Client client, std::string_view payload) {
  const auto found = connections_.find(client);
  if (found == connections_.end() || found->second.doomed) return;
  found->second.request = Request::answered;
  send(found->second, payload);
}

void FrameServer::push(Client client, std::string_view payload) {
  const auto found = connections_.find(client);
  if (found == connections_.end() || found->second.doomed) return;
  if (!found->second.unsent.empty()) {
    found->second.push = payload;
  } else {
    send(found->second, payload);
  }
}

void FrameServer::send(Connection& connection, std::string_view payload) {
  const auto frame = encode_frame(payload, service_send_limit);
  if (!frame) return doom(connection, frame.error());
  connection.unsent += *frame;
  flush(connection);
  watch(connection);
}

void FrameServer::flush(Connection& connection) {
  std::string_view rest = connection.unsent;
  while (!rest.empty()) {
    const ssize_t n =
        ::send(connection.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) {
      connection.doomed = true;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  connection.unsent.erase(0, connection.unsent.size() - rest.size());
  if (!connection.unsent.empty()) {
    if (!connection.write_by) connection.write_by = Clock::now() + limits_.write_deadline;
    return;
  }
  connection.write_by.reset();
  connection.unsent.shrink_to_fit();
  if (connection.request == Request::answered) {
    connection.request = Request::none;
    --user(connection.peer).requests;
    if (!connection.decoder.at_boundary()) enqueue(connection);
  }
  if (!connection.push.empty()) send(connection, std::exchange(connection.push, {}));
}

// Nothing is read while a request waits or is under way: what the client sends meanwhile stays in
// its own buffers.
void FrameServer::watch(Connection& connection) {
  std::uint32_t events = 0;
  if (connection.request == Request::none && !connection.queued) events |= EPOLLIN;
  if (!connection.unsent.empty()) events |= EPOLLOUT;
  if (events == connection.watched) return;
  connection.watched = events;
  control(epoll_, EPOLL_CTL_MOD, connection.socket.get(), connection.client, events);
}

void FrameServer::doom(Connection& connection, const Error& reason) {
  if (connection.doomed) return;
  connection.doomed = true;
  events_.refused(connection.peer, reason);
}

void FrameServer::bury() {
  std::vector<Client> gone;
  for (auto entry = connections_.begin(); entry != connections_.end();) {
    Connection& connection = entry->second;
    if (!connection.doomed) {
      ++entry;
      continue;
    }
    connection.left.request_stop();
    User& theirs = user(connection.peer);
    if (connection.request != Request::none) --theirs.requests;
    if (--theirs.clients == 0) users_.erase(connection.peer.uid.value_or(nobody_known));
    gone.push_back(entry->first);
    entry = connections_.erase(entry);
  }
  for (const Client client : gone) events_.gone(client);
}

}  // namespace icelock::ipc
