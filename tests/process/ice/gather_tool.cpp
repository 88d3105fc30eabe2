// SPDX-License-Identifier: Apache-2.0
// gather_tool DEADLINE_MS STUN4|- STUN6|- PORT ADDRESS...: one gather as JSON, for
// tests/process/ice.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ice/gather.h"

using namespace icelock;

namespace {

std::optional<net::Ip> server(const std::string& text) {
  return text == "-" ? std::nullopt : net::parse_ip(text);
}

nlohmann::json to_json(const ice::Gathered& one) {
  nlohmann::json candidates = nlohmann::json::array();
  for (const auto& candidate : one.candidates) {
    candidates.push_back(
        {{"type", candidate.type}, {"address", net::to_string(candidate.address)}});
  }
  return {{"wildcard", one.wildcard},
          {"bound", one.bound},
          {"finished", one.finished},
          {"candidates", candidates}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: gather_tool DEADLINE_MS STUN4|- STUN6|- PORT ADDRESS...\n";
    return 64;
  }
  ice::GatherOptions options;
  options.deadline = std::chrono::milliseconds(std::atoi(argv[1]));
  options.stun_ipv4 = server(argv[2]);
  options.stun_ipv6 = server(argv[3]);
  options.stun_port = static_cast<std::uint16_t>(std::atoi(argv[4]));
  std::vector<net::Ip> locals;
  for (int i = 5; i < argc; ++i) {
    const auto local = net::parse_ip(argv[i]);
    if (!local) return 64;
    locals.push_back(*local);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto found = ice::gather(locals, options);
  const auto took = std::chrono::steady_clock::now() - start;
  if (!found) {
    std::cerr << to_string(found.error()) << '\n';
    return info(found.error().code).exit_code;
  }
  nlohmann::json agents = nlohmann::json::object();
  for (const auto& one : *found) agents[net::to_string(one.local)] = to_json(one);
  std::cout << nlohmann::json{{"milliseconds",
                               std::chrono::duration<double, std::milli>(took).count()},
                              {"agents", agents}}
            << '\n';
}
