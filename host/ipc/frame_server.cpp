// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ipc/message.h"

namespace icelock::ipc {
namespace {

constexpr std::uint64_t the_listener = 0;  // clients count from 1
constexpr uid_t nobody_known = static_cast<uid_t>(-1);

bool watch(const Fd& epoll, int operation, int fd, std::uint64_t id, bool for_writing) {
  epoll_event event{};
  event.events = for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
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
  if (!epoll || !watch(epoll, EPOLL_CTL_ADD, listening.get(), the_listener, false)) {
    return fail_errno(errno, "cannot watch the socket");
  }
  return FrameServer(std::move(listening), std::move(epoll), std::move(events), limits);
}

int FrameServer::timeout(Clock::time_point now) const {
  std::optional<Clock::time_point> next;
  for (const auto& [client, connection] : connections_) {
    if (connection.more) return 0;
    for (const auto& deadline : {connection.read_by, connection.write_by}) {
      if (deadline && (!next || *deadline < *next)) next = deadline;
    }
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void FrameServer::handle(Clock::time_point now) {
  for (auto& [client, connection] : connections_) {
    if (connection.more && !connection.doomed) serve_frames(connection);
  }
  std::array<epoll_event, 64> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
    if (ready[i].data.u64 == the_listener) {
      accept_all();
      continue;
    }
    const auto found = connections_.find(ready[i].data.u64);
    if (found == connections_.end() || found->second.doomed) continue;
    if ((ready[i].events & EPOLLOUT) != 0) flush(found->second);
    if (!found->second.more && (ready[i].events & ~static_cast<unsigned>(EPOLLOUT)) != 0) {
      read_from(found->second);
    }
  }
  for (auto& [client, connection] : connections_) {
    if (connection.read_by && *connection.read_by <= now) {
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
  const auto theirs = of_user_.find(peer.uid.value_or(nobody_known));
  return connections_.size() < limits_.clients &&
         (theirs == of_user_.end() || theirs->second < limits_.clients_of_one_user);
}

void FrameServer::accept_all() {
  // Bounded, so that somebody who connects without end does not keep the others waiting.
  for (int i = 0; i < 64; ++i) {
    Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    const Peer peer = peer_of(socket.get());
    if (!admit(peer) || !watch(epoll_, EPOLL_CTL_ADD, socket.get(), last_client_ + 1, false)) {
      const Error error{Code::busy, "too many connections", ""};
      if (const auto frame = encode_frame(failure(nullptr, error))) {
        [[maybe_unused]] const auto sent =
            ::send(socket.get(), frame->data(), frame->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      }
      events_.refused(peer, error);
      continue;
    }
    ++of_user_[peer.uid.value_or(nobody_known)];
    ++last_client_;
    connections_[last_client_] = {.client = last_client_,
                                  .socket = std::move(socket),
                                  .peer = peer,
                                  .decoder = FrameDecoder(),
                                  .unsent = {},
                                  .read_by = {},
                                  .write_by = {}};
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
  serve_frames(connection);
}

void FrameServer::serve_frames(Connection& connection) {
  connection.more = false;
  for (int frame = 0; !connection.doomed; ++frame) {
    // The rest stays where it is, and so does what the client sends meanwhile: in its own buffers.
    if (frame == limits_.frames_a_turn) {
      connection.more = true;
      return;
    }
    const auto payload = connection.decoder.next();
    if (!payload) {
      send(connection.client, failure(nullptr, payload.error()));
      return doom(connection, payload.error());
    }
    const std::optional<std::string>& whole = *payload;
    if (!whole) break;
    connection.read_by.reset();
    events_.request(connection.client, connection.peer, *whole);
  }
  if (connection.decoder.at_boundary()) {
    connection.read_by.reset();
  } else if (!connection.read_by) {
    connection.read_by = Clock::now() + limits_.read_deadline;
  }
}

void FrameServer::send(Client client, std::string_view payload) {
  const auto found = connections_.find(client);
  if (found == connections_.end() || found->second.doomed) return;
  Connection& connection = found->second;
  auto frame = encode_frame(payload);
  if (!frame) frame = encode_frame(failure(nullptr, frame.error()));
  const bool waiting = !connection.unsent.empty();
  connection.unsent += *frame;
  if (connection.unsent.size() > limits_.unsent_bytes) {
    return doom(connection, {Code::too_large, "does not read what it is sent", ""});
  }
  if (waiting) return;
  flush(connection);
  if (connection.unsent.empty() || connection.doomed) return;
  connection.write_by = Clock::now() + limits_.write_deadline;
  watch(epoll_, EPOLL_CTL_MOD, connection.socket.get(), client, true);
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
  if (!connection.unsent.empty() || !connection.write_by) return;
  connection.write_by.reset();
  watch(epoll_, EPOLL_CTL_MOD, connection.socket.get(), connection.client, false);
}

void FrameServer::doom(Connection& connection, const Error& reason) {
  if (connection.doomed) return;
  connection.doomed = true;
  events_.refused(connection.peer, reason);
}

void FrameServer::bury() {
  std::vector<Client> gone;
  for (auto entry = connections_.begin(); entry != connections_.end();) {
    if (!entry->second.doomed) {
      ++entry;
      continue;
    }
    const uid_t uid = entry->second.peer.uid.value_or(nobody_known);
    if (--of_user_[uid] == 0) of_user_.erase(uid);
    gone.push_back(entry->first);
    entry = connections_.erase(entry);
  }
  for (const Client client : gone) events_.gone(client);
}

}  // namespace icelock::ipc
