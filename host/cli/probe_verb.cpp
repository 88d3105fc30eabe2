// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "app/gathering.h"
#include "cli/verbs.h"
#include "ipc/message.h"
#include "net/probe.h"
#include "net/roles.h"

namespace icelock::app {
namespace {

using ipc::Json;

constexpr std::chrono::milliseconds probe_deadline{1000};

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
  const auto roles = net::roles_of(snapshot, {});
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
                     {"role", net::name(roles.at(link.index))},
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
    out << link["link"].get<std::string>() << "  " << link["role"].get<std::string>() << ", "
        << link["class"].get<std::string>() << (kind.empty() ? "" : " (" + kind + ")")
        << (link["running"] ? "" : ", not running") << '\n';
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
  const auto gathered =
      gather_apart(net::classify(*snapshot),
                   stun.empty() ? std::vector<std::string>{} : std::vector{stun}, probe_deadline);
  if (!gathered) return report_error(gathered.error(), output);
  const Json probe = probe_json(*snapshot, gathered->agents);
  if (output.json) {
    output.out << ipc::text_of(probe) << '\n';
  } else {
    print_probe(output.out, probe, !stun.empty());
  }
  return 0;
}

}  // namespace icelock::app
