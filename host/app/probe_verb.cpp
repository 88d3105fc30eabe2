// SPDX-License-Identifier: Apache-2.0
#include <netdb.h>

#include <memory>
#include <ostream>
#include <set>

#include "app/verbs.h"
#include "ice/gather.h"
#include "ipc/message.h"
#include "net/probe.h"

namespace icelock::app {
namespace {

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
Result<ice::GatherOptions> resolve(const std::string& stun) {
  ice::GatherOptions options;
  if (stun.empty()) return options;
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
    options.stun_port = static_cast<std::uint16_t>(std::stoi(port));
    auto& slot = ip->family == net::Family::ipv4 ? options.stun_ipv4 : options.stun_ipv6;
    if (!slot) slot = *ip;
  }
  if (!options.stun_ipv4 && !options.stun_ipv6) {
    return fail(Code::not_found, "the STUN server has no usable address", stun);
  }
  return options;
}

std::vector<net::Ip> local_addresses(const net::Network& network) {
  std::set<net::Ip> unique;
  for (const net::LocalAddress& local : network.addresses) unique.insert(local.ip);
  return {unique.begin(), unique.end()};
}

Json candidates_json(const ice::Gathered& gathered) {
  Json list = Json::array();
  for (const ice::Candidate& candidate : gathered.candidates) {
    list.push_back({{"type", candidate.type}, {"address", net::to_string(candidate.address)}});
  }
  return list;
}

const ice::Gathered* gathered_on(const std::vector<ice::Gathered>& all, const net::Ip& ip) {
  for (const ice::Gathered& one : all) {
    if (!one.wildcard && one.local == ip) return &one;
  }
  return nullptr;
}

Json probe_json(const net::Snapshot& snapshot, const std::vector<ice::Gathered>& all) {
  Json links = Json::array();
  for (const net::Link& link : snapshot.links) {
    Json addresses = Json::array();
    for (const net::Address& address : link.addresses) {
      Json row = {{"address", net::to_string(address.ip)}, {"prefix", address.prefix}};
      if (const auto* gathered = gathered_on(all, address.ip)) {
        row["finished"] = gathered->finished;
        row["candidates"] = candidates_json(*gathered);
      }
      addresses.push_back(std::move(row));
    }
    links.push_back({{"link", link.name},
                     {"kind", link.kind},
                     {"class", net::name(link.link_class)},
                     {"up", link.up},
                     {"running", link.running},
                     {"addresses", std::move(addresses)}});
  }
  Json wildcards = Json::array();
  for (const ice::Gathered& one : all) {
    if (!one.wildcard) continue;
    wildcards.push_back({{"local", net::to_string(one.local)},
                         {"finished", one.finished},
                         {"candidates", candidates_json(one)}});
  }
  return {{"v", ipc::protocol_version}, {"links", links}, {"wildcards", wildcards}};
}

void print_candidates(std::ostream& out, const Json& candidates) {
  for (const Json& candidate : candidates) {
    out << "      " << candidate["type"].get<std::string>() << "  "
        << candidate["address"].get<std::string>() << '\n';
  }
}

void print_probe(std::ostream& out, const Json& probe, bool asked_stun) {
  for (const Json& link : probe["links"]) {
    const std::string kind = link["kind"];
    out << link["link"].get<std::string>() << "  " << link["class"].get<std::string>()
        << (kind.empty() ? "" : " (" + kind + ")") << (link["running"] ? "" : ", not running")
        << '\n';
    for (const Json& address : link["addresses"]) {
      out << "  " << address["address"].get<std::string>() << '/' << address["prefix"] << '\n';
      if (address.contains("candidates")) print_candidates(out, address["candidates"]);
    }
  }
  out << "What a page sees without permission (sockets bound to no address)\n";
  for (const Json& wildcard : probe["wildcards"]) {
    out << "  " << wildcard["local"].get<std::string>()
        << (wildcard["candidates"].empty() ? "  nothing" : "") << '\n';
    print_candidates(out, wildcard["candidates"]);
  }
  if (!asked_stun) {
    out << "No server was asked. Name one with --stun HOST to see public addresses.\n";
  }
}

}  // namespace

int run_probe(const std::string& stun, const Output& output) {
  auto prober = net::Prober::open();
  if (!prober) return report_error(prober.error(), output);
  const auto snapshot = prober->snapshot();
  if (!snapshot) return report_error(snapshot.error(), output);
  const auto options = resolve(stun);
  if (!options) return report_error(options.error(), output);
  const auto gathered = ice::gather(local_addresses(net::classify(*snapshot)), *options);
  if (!gathered) return report_error(gathered.error(), output);
  const Json probe = probe_json(*snapshot, *gathered);
  if (output.json) {
    output.out << probe.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    print_probe(output.out, probe, !stun.empty());
  }
  return 0;
}

}  // namespace icelock::app
