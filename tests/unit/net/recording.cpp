// SPDX-License-Identifier: Apache-2.0
#include "recording.h"

#include <libmnl/libmnl.h>

#include <fstream>
#include <iomanip>
#include <stdexcept>

namespace icelock::net::test {
namespace {

template <class Each>
void for_each_message(Bytes& bytes, const Each& each) {
  auto left = static_cast<int>(bytes.size());
  auto* message = reinterpret_cast<nlmsghdr*>(bytes.data());
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) each(*message);
}

std::uint32_t first_sequence(const Bytes& bytes) {
  Bytes copy = bytes;
  return header(copy).nlmsg_seq;
}

/// Numbers from `from` on become numbers from `to` on, so that two conversations can be compared.
Bytes renumbered(Bytes bytes, std::uint32_t from, std::uint32_t to) {
  for_each_message(bytes, [&](nlmsghdr& message) { message.nlmsg_seq += to - from; });
  return bytes;
}

void write(std::ostream& out, char mark, const Bytes& bytes) {
  out << mark << ' ';
  for (const std::byte byte : bytes) {
    out << std::hex << std::setw(2) << std::setfill('0') << std::to_integer<int>(byte);
  }
  out << '\n';
}

Bytes parse_hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

Result<void> RecordingWire::send(std::span<const std::byte> bytes) {
  exchanges_.push_back({{bytes.begin(), bytes.end()}, {}});
  return wire_->send(bytes);
}

Result<std::span<const std::byte>> RecordingWire::receive() {
  auto datagram = wire_->receive();
  if (datagram) exchanges_.back().received.emplace_back(datagram->begin(), datagram->end());
  return datagram;
}

Result<void> ReplayWire::send(std::span<const std::byte> bytes) {
  const Bytes sent(bytes.begin(), bytes.end());
  const std::uint32_t now = first_sequence(sent);
  for (auto exchange = exchanges_.begin(); exchange != exchanges_.end(); ++exchange) {
    const std::uint32_t then = first_sequence(exchange->sent);
    if (renumbered(exchange->sent, then, now) != sent) continue;
    for (const Bytes& datagram : exchange->received) {
      queue_.push_back(renumbered(datagram, then, now));
    }
    exchanges_.erase(exchange);
    return {};
  }
  return fail(Code::probe_failed, "this question was not recorded");
}

Result<std::span<const std::byte>> ReplayWire::receive() {
  if (at_ >= queue_.size()) return fail(Code::probe_failed, "nothing more was recorded");
  return std::span<const std::byte>(queue_[at_++]);
}

void save(const std::filesystem::path& file, const std::string& comment,
          const std::vector<Exchange>& exchanges) {
  std::ofstream out(file);
  out << "# " << comment << '\n';
  for (const Exchange& exchange : exchanges) {
    write(out, '>', exchange.sent);
    for (const Bytes& datagram : exchange.received) write(out, '<', datagram);
  }
}

std::vector<Exchange> load(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("no recording " + file.string());
  std::vector<Exchange> exchanges;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> ")) exchanges.push_back({parse_hex(line.substr(2)), {}});
    if (line.starts_with("< "))
      exchanges.at(exchanges.size() - 1).received.push_back(parse_hex(line.substr(2)));
  }
  return exchanges;
}

}  // namespace icelock::net::test
