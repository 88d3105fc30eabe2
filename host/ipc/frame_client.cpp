// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "ipc/peer.h"

namespace icelock::ipc {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds send_deadline{2000};
constexpr std::size_t most_unsent = 256 << 10;

bool wait_for(int fd, short events, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd one{fd, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Result<FrameClient> FrameClient::connect(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) {
    return fail(Code::unavailable, "the socket's path is too long", name);
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "cannot make a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Code code = errno == EAGAIN ? Code::busy : Code::unavailable;
    return fail(code, std::string("icelockd: ") + std::strerror(errno), name);
  }
  const auto uid = peer_of(socket.get()).uid;
  if (uid != uid_t{0} && uid != ::geteuid()) {
    return fail(Code::unknown_caller, "not the service of this machine", name);
  }
  return FrameClient(std::move(socket));
}

Result<void> FrameClient::send(std::string_view payload) {
  const auto frame = TRY(encode_frame(payload, root_accept_limit));
  const auto until = Clock::now() + send_deadline;
  for (std::string_view rest = frame; !rest.empty();) {
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_for(socket_.get(), POLLOUT, until)) {
        if (rest.size() < frame.size()) ::shutdown(socket_.get(), SHUT_RDWR);
        return fail(Code::timeout, "icelockd does not read");
      }
    } else if (errno != EINTR) {
      return fail(Code::io, std::string("icelockd is gone: ") + std::strerror(errno));
    }
  }
  return {};
}

Result<void> FrameClient::post(std::string_view payload) {
  const auto frame = TRY(encode_frame(payload, root_accept_limit));
  unsent_ += frame;
  return flush();
}

Result<void> FrameClient::flush() {
  while (!unsent_.empty()) {
    const ssize_t n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      unsent_.erase(0, static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (unsent_.size() <= most_unsent) break;
      return fail(Code::timeout, "icelockd does not read");
    } else if (errno != EINTR) {
      return fail(Code::io, std::string("icelockd is gone: ") + std::strerror(errno));
    }
  }
  return {};
}

Result<std::vector<std::string>> FrameClient::receive() {
  std::array<char, 16384> buffer;
  bool ended = false;
  for (;;) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) {
      ended = true;
      break;
    }
    decoder_.feed({buffer.data(), static_cast<std::size_t>(n)});
  }
  std::vector<std::string> payloads = std::exchange(later_, {});
  for (;;) {
    auto payload = TRY(decoder_.next());
    if (!payload) break;
    payloads.push_back(*std::move(payload));
  }
  if (ended && payloads.empty()) return fail(Code::io, "icelockd closed the connection");
  return payloads;
}

Result<Json> FrameClient::call(std::string_view op, Json arguments, milliseconds limit) {
  arguments["v"] = protocol_version;
  arguments["id"] = ++last_id_;
  arguments["op"] = op;
  const auto until = Clock::now() + limit;
  TRY(send(text_of(arguments)));
  while (wait_for(socket_.get(), POLLIN, until)) {
    auto payloads = TRY(receive());
    for (auto payload = payloads.begin(); payload != payloads.end(); ++payload) {
      Json answer = Json::parse(*payload, nullptr, false);
      if (!answer.is_object() || !answer.contains("ok")) continue;
      // One that came too late for the call before; a refusal may have no id.
      const auto id = answer.value("id", Json());
      if (!id.is_null() && id != last_id_) continue;
      later_.assign(std::move_iterator(payload + 1), std::move_iterator(payloads.end()));
      if (answer["ok"] != true) return std::unexpected(error_of(answer));
      for (const char* key : {"v", "id", "ok"}) answer.erase(key);
      return answer;
    }
  }
  return fail(Code::timeout, "icelockd gave no answer in time");
}

Error error_of(const Json& answer) {
  const auto code = string_field(answer, "code").value_or("");
  Error error{Code::internal, string_field(answer, "what").value_or("no answer that makes sense"),
              string_field(answer, "object").value_or("")};
  const auto row = std::ranges::find(codes(), code, &CodeInfo::name);
  if (row != codes().end()) error.code = row->code;
  return error;
}

}  // namespace icelock::ipc
