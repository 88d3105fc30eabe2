// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "messages.h"
#include "net/netlink_talk.h"

// Conversations with a kernel as text: a comment that says how it was made, then "> hex" for what
// was sent and "< hex" for each datagram that came back.

namespace icelock::net::test {

struct Exchange {
  Bytes sent;
  std::vector<Bytes> received;
};

/// Keeps all that goes over another wire.
class RecordingWire final : public netlink::Wire {
 public:
  RecordingWire(std::unique_ptr<netlink::Wire> wire, std::vector<Exchange>& exchanges)
      : wire_(std::move(wire)), exchanges_(exchanges) {}

  Result<void> send(std::span<const std::byte> bytes) override;
  Result<std::span<const std::byte>> receive() override;

 private:
  std::unique_ptr<netlink::Wire> wire_;
  std::vector<Exchange>& exchanges_;
};

/// Answers what was asked when it was recorded, and nothing else.
class ReplayWire final : public netlink::Wire {
 public:
  explicit ReplayWire(std::vector<Exchange>& exchanges) : exchanges_(exchanges) {}

  Result<void> send(std::span<const std::byte> bytes) override;
  Result<std::span<const std::byte>> receive() override;

 private:
  std::vector<Exchange>& exchanges_;
  std::vector<Bytes> queue_;
  std::size_t at_ = 0;
};

void save(const std::filesystem::path& file, const std::string& comment,
          const std::vector<Exchange>& exchanges);
std::vector<Exchange> load(const std::filesystem::path& file);

}  // namespace icelock::net::test
