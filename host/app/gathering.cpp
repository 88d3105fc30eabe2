// SPDX-License-Identifier: Apache-2.0
#include "app/gathering.h"

#include <set>
#include <stdexcept>

#include "app/helper.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::chrono::seconds longest_lookup{5};

net::Ip ip_of(const Json& object, const char* field) {
  const auto ip = net::parse_ip(object.at(field).get<std::string>());
  if (!ip) throw std::invalid_argument("not an address");
  return *ip;
}

ice::Gathered agent_of(const Json& json) {
  ice::Gathered agent;
  agent.local = ip_of(json, "local");
  agent.wildcard = json.at("wildcard").get<bool>();
  agent.bound = json.at("bound").get<bool>();
  agent.finished = json.at("finished").get<bool>();
  for (const Json& candidate : json.at("candidates")) {
    agent.candidates.push_back(
        {candidate.at("type").get<std::string>(), ip_of(candidate, "address")});
  }
  return agent;
}

}  // namespace

Result<Outside> gather_apart(const net::Network& network, const std::vector<std::string>& stun,
                             std::chrono::milliseconds deadline) {
  std::vector<std::string> words = {std::to_string(deadline.count())};
  words.insert(words.end(), stun.begin(), stun.end());
  words.emplace_back("--");
  std::set<net::Ip> unique;
  for (const net::LocalAddress& local : network.addresses) unique.insert(local.ip);
  for (const net::Ip& ip : unique) words.push_back(net::to_string(ip));
  const auto other = user_instead_of_root();
  const auto answer =
      ask_program("icelock-gather", std::move(words), deadline + longest_lookup, other);
  if (!answer) {
    const Error& error = answer.error();
    if (!other || (error.code != Code::io && error.code != Code::not_permitted)) {
      return std::unexpected(error);
    }
    return fail(Code::unavailable,
                "root may not gather ICE candidates, and as user " + std::to_string(other->uid) +
                    " it failed: " + error.what,
                error.object);
  }
  Outside outside;
  try {
    for (const Json& agent : answer->at("agents")) outside.agents.push_back(agent_of(agent));
    outside.servers = answer->at("servers").get<std::vector<std::string>>();
  } catch (const std::exception&) {
    return fail(Code::internal, "icelock-gather said what it never says");
  }
  return outside;
}

}  // namespace icelock::app
