// SPDX-License-Identifier: Apache-2.0
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "ice/gather.h"
#include "ipc/message.h"

// icelock-gather MILLISECONDS [SERVER]... -- [ADDRESS]...: one gather, as JSON on stdout. A program
// of its own, so that libnice and the chain of libraries behind it are in no other one, and run by
// no root. Only icelock starts it (app/gathering.cpp).

namespace {

using namespace icelock;
using ipc::Json;

constexpr std::string_view default_port = "3478";

struct HostPort {
  std::string host;
  std::string port{default_port};
};

// "192.0.2.1", "192.0.2.1:3478", "stun.example:3478", "2001:db8::1", "[2001:db8::1]:3478".
HostPort split(const std::string& text) {
  HostPort result;
  const std::size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    result.host = text.substr(1, close == std::string::npos ? close : close - 1);
    if (close != std::string::npos && close + 1 == colon) result.port = text.substr(colon + 1);
  } else if (colon != std::string::npos && text.find(':') == colon) {
    result.host = text.substr(0, colon);
    result.port = text.substr(colon + 1);
  } else {
    result.host = text;
  }
  return result;
}

// libnice wants numeric addresses and one agent per family, so the name is resolved here.
Result<void> add_server(ice::GatherOptions& options, const std::string& stun) {
  const HostPort target = split(stun);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int problem = ::getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &list);
  if (problem != 0) {
    return fail(Code::not_found,
                std::string("cannot find the STUN server (") + gai_strerror(problem) + ")", stun);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      continue;
    }
    const auto ip = net::parse_ip(text);
    if (!ip) continue;
    if ((options.stun_ipv4 || options.stun_ipv6) &&
        options.stun_port != std::strtoul(port, nullptr, 10)) {
      return fail(Code::bad_request, "all STUN servers must have the same port", stun);
    }
    options.stun_port = static_cast<std::uint16_t>(std::strtoul(port, nullptr, 10));
    auto& slot = ip->family == net::Family::ipv4 ? options.stun_ipv4 : options.stun_ipv6;
    if (!slot) slot = *ip;
  }
  if (!options.stun_ipv4 && !options.stun_ipv6) {
    return fail(Code::not_found, "the STUN server has no usable address", stun);
  }
  return {};
}

struct Wish {
  ice::GatherOptions options;
  std::vector<net::Ip> locals;
};

Result<Wish> parse(const std::vector<std::string>& words) {
  Wish wish;
  if (words.empty()) return fail(Code::bad_request, "a deadline is missing");
  wish.options.deadline = std::chrono::milliseconds(std::strtoul(words[0].c_str(), nullptr, 10));
  std::size_t at = 1;
  for (; at < words.size() && words[at] != "--"; ++at) {
    TRY(add_server(wish.options, words[at]));
  }
  for (++at; at < words.size(); ++at) {
    const auto ip = net::parse_ip(words[at]);
    if (!ip) return fail(Code::bad_request, "not an address", words[at]);
    wish.locals.push_back(*ip);
  }
  return wish;
}

Json agent_json(const ice::Gathered& agent) {
  Json candidates = Json::array();
  for (const ice::Candidate& candidate : agent.candidates) {
    candidates.push_back(
        {{"type", candidate.type}, {"address", net::to_string(candidate.address)}});
  }
  return {{"local", net::to_string(agent.local)},
          {"wildcard", agent.wildcard},
          {"bound", agent.bound},
          {"finished", agent.finished},
          {"candidates", candidates}};
}

Result<Json> gathered(const std::vector<std::string>& words) {
  if (::getuid() == 0 || ::geteuid() == 0) {
    return fail(Code::not_permitted, "ICE candidates are never gathered as root");
  }
  const auto wish = TRY(parse(words));
  const auto start = std::chrono::steady_clock::now();
  const auto agents = ice::gather(wish.locals, wish.options);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (!agents) return std::unexpected(agents.error());
  Json list = Json::array();
  for (const ice::Gathered& agent : *agents) list.push_back(agent_json(agent));
  Json servers = Json::array();
  const std::string port = ":" + std::to_string(wish.options.stun_port);
  if (const auto& ip = wish.options.stun_ipv4) servers.push_back("stun:" + to_string(*ip) + port);
  if (const auto& ip = wish.options.stun_ipv6) {
    servers.push_back("stun:[" + to_string(*ip) + "]" + port);
  }
  return Json{{"milliseconds", took.count()}, {"agents", list}, {"servers", servers}};
}

}  // namespace

int main(int argc, char** argv) {
  const auto answer = gathered({argv + 1, argv + argc});
  if (!answer) {
    std::cout << ipc::failure(nullptr, answer.error()) << '\n';
    return info(answer.error().code).exit_code;
  }
  std::cout << answer->dump() << '\n';
}
