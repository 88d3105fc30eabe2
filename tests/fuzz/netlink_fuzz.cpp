// SPDX-License-Identifier: Apache-2.0
// Bytes as a kernel's whole conversation: each reader, the conversation code and the judgement must
// survive them; a snapshot must never come from a list without an end; and what could not be read
// must never be judged as harmless. Built for libFuzzer, or with the main below, which replays
// files.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "net/take_snapshot.h"

namespace {

using namespace icelock;

/// The input is a row of datagrams, each led by its length in two bytes; they get the numbers that
/// were asked for.
class FuzzWire final : public net::netlink::Wire {
 public:
  FuzzWire(const std::uint8_t*& data, std::size_t& left) : data_(data), left_(left) {}

  Result<void> send(std::span<const std::byte> bytes) override {
    std::memcpy(&sequence_, bytes.data() + offsetof(nlmsghdr, nlmsg_seq), sizeof sequence_);
    return {};
  }

  Result<std::span<const std::byte>> receive() override {
    if (left_ < 2) return fail(Code::probe_failed, "the input is at its end");
    const std::size_t wanted = data_[0] | static_cast<std::size_t>(data_[1]) << 8;
    const std::size_t size = std::min(wanted, left_ - 2);
    datagram_.resize(size);
    std::memcpy(datagram_.data(), data_ + 2, size);
    datagram_.shrink_to_fit();
    data_ += 2 + size;
    left_ -= 2 + size;
    number_messages();
    return std::span<const std::byte>(datagram_);
  }

 private:
  void number_messages() {
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= datagram_.size();) {
      auto* message = reinterpret_cast<nlmsghdr*>(datagram_.data() + at);
      message->nlmsg_seq += sequence_;
      at += std::max<std::size_t>(NLMSG_ALIGN(std::size_t{message->nlmsg_len}), sizeof(nlmsghdr));
    }
  }

  const std::uint8_t*& data_;
  std::size_t& left_;
  std::uint32_t sequence_ = 0;
  std::vector<std::byte> datagram_;
};

using net::Course;
using net::Verdict;

/// Whether some of what the web sends to public addresses cannot be told: its way was not
/// understood, or the kernel gave no answer.
bool lacks(const net::Snapshot& snapshot, const net::Part& part) {
  const auto& space = net::public_space(part.family);
  const auto is_unknown = [&](std::uint16_t fate) {
    return snapshot.fates[fate].course == Course::unknown;
  };
  const auto unknown =
      net::combine(*part.to, space, [&](std::uint16_t set, std::uint16_t in_space) {
        return std::uint16_t{in_space == net::is_public_space &&
                             std::ranges::any_of(snapshot.sets[set], is_unknown)};
      });
  return net::value_at(unknown, {}) != 0 || unknown.size() > 1 ||
         std::ranges::any_of(part.checks, [](const net::Check& check) {
           return check.answer.outcome == net::Outcome::failed;
         });
}

void expect(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// What was lacking counts as outside: with it there is no whole tunnel, no closed kill switch, and
/// no machine without a VPN.
void expect_strict(const net::Snapshot& snapshot, const net::Network& network) {
  for (const net::Part& part : snapshot.parts) {
    if (part.use != net::Part::Use::web || !lacks(snapshot, part)) continue;
    const auto& state = part.family == net::Family::ipv4 ? network.ipv4 : network.ipv6;
    const bool by_vpn = state.verdict == Verdict::tunnel || state.verdict == Verdict::ipsec;
    expect(state.unknown_ways, "what could not be read is not said to be unknown");
    expect(state.verdict == Verdict::partial || (by_vpn && state.excluded_routes),
           "what could not be read is judged as harmless");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  net::SnapshotTaker taker(
      [&](std::size_t) -> Result<std::unique_ptr<net::netlink::Wire>> {
        return std::make_unique<FuzzWire>(data, size);
      },
      1000);
  if (const auto snapshot = taker.take()) expect_strict(*snapshot, net::classify(*snapshot));
  return 0;
}

#ifndef ICELOCK_LIBFUZZER
namespace {

int value_of(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/// A recorded conversation (tests/unit/net/recorded) as fuzzer input.
std::vector<std::uint8_t> seed_from(const std::string& file) {
  std::vector<std::uint8_t> seed;
  std::uint32_t asked = 0;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t at = 2; at + 1 < line.size() && line[0] != '#'; at += 2) {
      bytes.push_back(static_cast<std::uint8_t>(value_of(line[at]) << 4 | value_of(line[at + 1])));
    }
    if (line.starts_with("> ")) std::memcpy(&asked, bytes.data() + 8, sizeof asked);
    if (!line.starts_with("< ")) continue;
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= bytes.size();) {
      nlmsghdr message{};
      std::memcpy(&message, bytes.data() + at, sizeof message);
      message.nlmsg_seq -= asked;
      std::memcpy(bytes.data() + at, &message, sizeof message);
      at += std::max<std::size_t>(NLMSG_ALIGN(std::size_t{message.nlmsg_len}), sizeof message);
    }
    seed.push_back(static_cast<std::uint8_t>(bytes.size()));
    seed.push_back(static_cast<std::uint8_t>(bytes.size() >> 8));
    seed.insert(seed.end(), bytes.begin(), bytes.end());
  }
  return seed;
}

}  // namespace

/// netlink_fuzz_replay FILE...: each recording whole, and with one byte after another damaged.
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::vector<std::uint8_t> seed = seed_from(argv[i]);
    if (seed.empty()) return 1;
    LLVMFuzzerTestOneInput(seed.data(), seed.size());
    for (std::size_t at = 0; at < seed.size(); at += 127) {
      const std::uint8_t kept = seed[at];
      for (const int damage : {0, 1, 0x80, 0xff}) {
        seed[at] = static_cast<std::uint8_t>(kept ^ damage);
        LLVMFuzzerTestOneInput(seed.data(), seed.size());
      }
      seed[at] = kept;
    }
  }
  return argc > 1 ? 0 : 1;
}
#endif
