// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace icelock::ipc {
namespace {

constexpr std::size_t portion = 4096;
constexpr std::chrono::milliseconds drain_time{500};

// poll(2) for the time that is left, rounded up, so that it never wakes before the deadline. False:
// nothing happened until then.
bool poll_until(std::span<pollfd> wanted, std::chrono::steady_clock::time_point until) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(wanted.data(), wanted.size(), static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

HttpConnection::HttpConnection(Fd socket, Peer peer, int stop, const HttpLimits& limits)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      stop_(stop),
      limits_(limits),
      read_until_(Clock::now() + limits.read) {}

bool HttpConnection::wait(short events, Clock::time_point until) {
  std::array wanted = {pollfd{socket_.get(), events, 0}, pollfd{stop_, POLLIN, 0}};
  if (!poll_until(wanted, until)) {
    timed_out_ = true;
    return false;
  }
  return wanted[1].revents == 0;
}

// As recv(2), but with the request's deadline: -1 also when it passed.
ssize_t HttpConnection::receive(char* bytes, size_t size) {
  for (;;) {
    const ssize_t count = ::recv(socket_.get(), bytes, size, MSG_DONTWAIT);
    if (count >= 0) {
      // Also for a client that always has one more byte ready.
      if (Clock::now() < read_until_) return count;
      timed_out_ = true;
      return -1;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait(POLLIN, read_until_)) return -1;
  }
}

Result<std::optional<HttpHead>> HttpConnection::receive_head() {
  constexpr std::string_view end_mark = "\r\n\r\n";
  std::string head;
  auto end = std::string::npos;
  while (end == std::string::npos) {
    if (head.size() >= limits_.head) {
      return fail(Code::too_large, "a header may have " + std::to_string(limits_.head) + " bytes");
    }
    const auto before = head.size();
    head.resize(std::min(before + portion, limits_.head));
    const ssize_t count = receive(head.data() + before, head.size() - before);
    head.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (timed_out_) return fail(Code::timeout, "the request did not come in time");
    if (count < 0 || head.empty()) return std::nullopt;
    if (count == 0) return fail(Code::bad_request, "the request ends in its header");
    end = head.find(end_mark, before < end_mark.size() ? 0 : before - end_mark.size());
  }
  end += end_mark.size();
  const std::size_t most = peer_.uid == uid_t{0} ? limits_.body_of_root : limits_.body;
  auto parsed = parse_http_head(std::string_view(head).substr(0, end), most);
  if (!parsed) return std::unexpected(parsed.error());
  // What came after the head is the body's beginning, and nothing when it has none: there is one
  // request per connection.
  early_ = head.substr(end, parsed->content_length);
  return parsed;
}

Result<std::string> HttpConnection::receive_body(const HttpHead& head) {
  std::string body = std::move(early_);
  std::size_t got = body.size();
  if (head.expects_continue && got < head.content_length) {
    if (!send("HTTP/1.1 100 Continue\r\n\r\n")) return fail(Code::timeout, "nobody reads");
    begin_answer();
  }
  body.resize(head.content_length);
  while (got < body.size()) {
    const ssize_t count = receive(body.data() + got, body.size() - got);
    if (timed_out_) return fail(Code::timeout, "the request did not come in time");
    if (count <= 0) return fail(Code::bad_request, "the request ends in its body");
    got += static_cast<std::size_t>(count);
  }
  return body;
}

bool HttpConnection::send(std::string_view bytes) {
  if (!write_until_) write_until_ = Clock::now() + limits_.write;
  while (!bytes.empty() && !broken_) {
    const ssize_t count =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      // Also for a client that always makes room for one more byte.
      broken_ = !bytes.empty() && Clock::now() >= *write_until_;
    } else if (errno != EINTR) {
      broken_ = errno != EAGAIN || !wait(POLLOUT, *write_until_);
    }
  }
  return !broken_;
}

HttpConnection::Wake HttpConnection::wait_for(int bell, std::chrono::milliseconds patience) {
  // Without any event asked for, poll reports a peer that closed, and nothing that it sent.
  std::array wanted = {pollfd{socket_.get(), 0, 0}, pollfd{stop_, POLLIN, 0},
                       pollfd{bell, POLLIN, 0}};
  if (!poll_until(wanted, Clock::now() + patience)) return Wake::quiet;
  return wanted[0].revents != 0 || wanted[1].revents != 0 ? Wake::gone : Wake::rung;
}

bool HttpConnection::left() const {
  pollfd peer{socket_.get(), 0, 0};
  return ::poll(&peer, 1, 0) > 0;
}

void HttpConnection::drain() {
  if (timed_out_ || broken_) return;  // it had its time
  ::shutdown(socket_.get(), SHUT_WR);
  read_until_ = Clock::now() + drain_time;
  std::array<char, portion> ignored;
  while (receive(ignored.data(), ignored.size()) > 0) {
  }
}

}  // namespace icelock::ipc
