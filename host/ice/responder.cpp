// SPDX-License-Identifier: Apache-2.0
#include "ice/responder.h"

#include <netinet/in.h>
#include <poll.h>
#include <stun/stunagent.h>
#include <stun/usages/bind.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace icelock::ice {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_system(const net::Ip& ip) {
  SocketAddress address;
  if (ip.family == net::Family::ipv4) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, ip.bytes.data(), sizeof in.sin_addr);
    address.size = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
    in.sin6_family = AF_INET6;
    std::memcpy(&in.sin6_addr, ip.bytes.data(), sizeof in.sin6_addr);
    address.size = sizeof in;
  }
  return address;
}

std::uint16_t port_of(const SocketAddress& address) {
  // The port lies at the same place in both kinds.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

/// The answer's size, 0 when none is due.
std::size_t answer(std::span<std::uint8_t> request, const SocketAddress& from,
                   std::span<std::uint8_t> reply) {
  constexpr std::uint16_t known = 0;
  StunAgent agent;
  stun_agent_init(&agent, &known, STUN_COMPATIBILITY_RFC5389, STUN_AGENT_USAGE_IGNORE_CREDENTIALS);
  StunMessage asked;
  if (stun_agent_validate(&agent, &asked, request.data(), request.size(), nullptr, nullptr) !=
          STUN_VALIDATION_SUCCESS ||
      stun_message_get_class(&asked) != STUN_REQUEST ||
      stun_message_get_method(&asked) != STUN_BINDING) {
    return 0;
  }
  StunMessage message;
  if (!stun_agent_init_response(&agent, &message, reply.data(), reply.size(), &asked) ||
      stun_message_append_xor_addr(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &from.storage,
                                   from.size) != STUN_MESSAGE_RETURN_SUCCESS) {
    return 0;
  }
  return stun_agent_finish_message(&agent, &message, nullptr, 0);
}

/// Whether a socket bound to no address gets through to `place`, at which `socket` is.
bool arrives(int socket, SocketAddress& place) {
  const Fd other(::socket(place.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint8_t byte = 0;
  pollfd waiting{socket, POLLIN, 0};
  return ::sendto(other.get(), &byte, 1, 0, place.get(), place.size) == 1 &&
         ::poll(&waiting, 1, 500) == 1 && ::recv(socket, &byte, 1, 0) == 1;
}

}  // namespace

Result<Responder> Responder::open(const net::Ip& address) {
  SocketAddress place = to_system(address);
  Fd socket(::socket(place.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket || ::bind(socket.get(), place.get(), place.size) != 0 ||
      ::getsockname(socket.get(), place.get(), &place.size) != 0) {
    const int problem = errno;
    return fail(Code::unavailable,
                std::string("cannot answer STUN here (") + std::strerror(problem) + ")",
                net::to_string(address));
  }
  const std::string text = net::to_string(address);
  if (!arrives(socket.get(), place)) {
    return fail(Code::unavailable, "packets to this machine's own address do not arrive", text);
  }
  const std::string host = address.family == net::Family::ipv4 ? text : "[" + text + "]";
  return Responder(std::move(socket), "stun:" + host + ":" + std::to_string(port_of(place)));
}

void Responder::handle() {
  std::array<std::uint8_t, 2048> request{};
  std::array<std::uint8_t, 256> reply{};
  for (;;) {
    SocketAddress from;
    const ssize_t size =
        ::recvfrom(socket_.get(), request.data(), request.size(), 0, from.get(), &from.size);
    if (size < 0) return;
    const std::size_t length =
        answer(std::span(request).first(static_cast<std::size_t>(size)), from, reply);
    if (length > 0) ::sendto(socket_.get(), reply.data(), length, 0, from.get(), from.size);
  }
}

}  // namespace icelock::ice
