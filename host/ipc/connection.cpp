// SPDX-License-Identifier: Apache-2.0
#include "ipc/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace icelock::ipc {
namespace {

constexpr std::chrono::milliseconds drain_time{500};

}  // namespace

Connection::Connection(std::uint64_t number, OpenDoor& at, Fd its_socket, Peer who)
    : id(number),
      door(at),
      peer(std::move(who)),
      socket(std::move(its_socket)),
      codec(at.codec(peer.uid == uid_t{0} ? at.limits.request_of_root : at.limits.request)) {
  if (door.one_request) due = Clock::now() + door.limits.read;
}

void Connection::answer(const Result<Json>& result, Phase next) {
  const std::string text = codec->answer(result);
  phase = Phase::answering;
  after_ = next;
  due.reset();
  send(text);
}

void Connection::push(const std::string& event) {
  // A stream begins with its answer.
  const bool too_early = door.one_request && phase != Phase::stream;
  if (too_early || !unsent_.empty()) {
    event_ = event;
  } else {
    send(event);
  }
}

void Connection::send(std::string_view bytes) {
  unsent_ += bytes;
  flush();
}

void Connection::flush() {
  std::string_view rest = unsent_;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) {
      phase = Phase::closed;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  unsent_.erase(0, unsent_.size() - rest.size());
  if (!unsent_.empty()) {
    if (!write_by) write_by = Clock::now() + door.limits.write;
    return;
  }
  write_by.reset();
  unsent_.shrink_to_fit();
  if (phase == Phase::answering) enter(after_);
  if (phase == Phase::stream) due = Clock::now() + door.limits.heartbeat;
  const bool hears = phase != Phase::draining && phase != Phase::closed;
  if (hears && !event_.empty()) send(std::exchange(event_, {}));
}

void Connection::enter(Phase next) {
  phase = next;
  if (phase != Phase::draining) return;
  // A socket that is closed over unread bytes resets the connection, and the client may lose the
  // refusal (RFC 9112 section 9.6).
  ::shutdown(socket.get(), SHUT_WR);
  due = Clock::now() + drain_time;
}

OpenDoor::Count& Connection::of_user() const {
  return door.of_users[user_of(peer)];
}

// Nothing is read while a request waits or is under way: what the client sends meanwhile stays in
// its own buffers.
std::uint32_t Connection::wanted() const {
  std::uint32_t events = 0;
  if ((phase == Phase::reading && !queued) || phase == Phase::draining) events |= EPOLLIN;
  if (!unsent_.empty()) events |= EPOLLOUT;
  return events;
}

}  // namespace icelock::ipc
