// SPDX-License-Identifier: Apache-2.0
#include "guard/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "guard/settings_file.h"

namespace icelock::guard {
namespace {

using net::FamilyState;
using net::Network;
using net::Prefix;
using net::Verdict;

constexpr std::size_t most_named = 3;

/// "95.0.0.0/8, 96.0.0.0/8, 97.0.0.0/8 +17 over enp3s0": the widest, and how many more there are.
std::string in_words(std::vector<Prefix> blocks, const std::string& link) {
  std::ranges::stable_sort(blocks, {}, &Prefix::length);
  const auto shown = std::span(blocks).first(std::min(most_named, blocks.size()));
  std::string text;
  for (const Prefix& block : shown) {
    const bool is_host = block.length == net::bits(block.base.family);
    text += (text.empty() ? "" : ", ") + (is_host ? to_string(block.base) : to_string(block));
  }
  if (shown.size() < blocks.size()) text += " +" + std::to_string(blocks.size() - shown.size());
  return link.empty() ? text : text + " over " + link;
}

struct CallService {
  std::string name;
  std::string pattern;
  std::vector<Prefix> blocks;
};

std::optional<Prefix> parse_prefix(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto base = net::parse_ip(text.substr(0, slash));
  if (!base || slash == std::string::npos) return std::nullopt;
  return Prefix{*base, static_cast<std::uint8_t>(std::atoi(text.c_str() + slash + 1))};
}

const std::vector<CallService>& call_services() {
  static const auto services = [] {
    std::vector<CallService> result;
    const auto list = nlohmann::json::parse(call_sites);
    for (const auto& row : list.at("services")) {
      CallService service{
          row.at("name").get<std::string>(), row.at("patterns").front().get<std::string>(), {}};
      const auto blocks = row.value("blocks", nlohmann::json::array());
      for (const auto& text : blocks) {
        if (const auto block = parse_prefix(text.get<std::string>())) {
          service.blocks.push_back(*block);
        }
      }
      result.push_back(std::move(service));
    }
    return result;
  }();
  return services;
}

/// The call service to which all of these belong.
const CallService* owner_of(const std::vector<Prefix>& blocks) {
  for (const CallService& service : call_services()) {
    const bool all = std::ranges::all_of(blocks, [&](const Prefix& block) {
      return std::ranges::any_of(service.blocks, [&](const Prefix& own) {
        return own.length <= block.length && net::inside(block.base, own.base, own.length);
      });
    });
    if (all && !blocks.empty()) return &service;
  }
  return nullptr;
}

class Explanation {
 public:
  Explanation(const Network& network, const Settings& settings)
      : network_(network), settings_(settings) {}

  std::vector<Reason> run() {
    if (!protects(network_)) {
      without_vpn();
    } else if (!in_vpn(network_.ipv4.verdict) && !in_vpn(network_.ipv6.verdict)) {
      say("blocked", "A kill switch refuses web traffic.");
    } else {
      of_family(network_.ipv4, "IPv4");
      of_family(network_.ipv6, "IPv6");
      if (reasons_.empty()) full_tunnel();
      neighbours(network_.ipv4);
      neighbours(network_.ipv6);
    }
    return std::move(reasons_);
  }

 private:
  void say(std::string code, std::string text, std::map<std::string, std::string> args = {}) {
    reasons_.push_back(reason(std::move(code), std::move(text), std::move(args)));
  }

  std::string tunnel_name() const {
    for (const FamilyState* family : {&network_.ipv4, &network_.ipv6}) {
      if (family->verdict == Verdict::tunnel || family->verdict == Verdict::ipsec) {
        return family->link;
      }
    }
    return network_.tunnels.empty() ? "?" : network_.tunnels.front().link;
  }

  bool is_marked_into(const std::string& link) const {
    return network_.ipv4.marked_into == link || network_.ipv6.marked_into == link;
  }

  void without_vpn() {
    for (const net::Tunnel& tunnel : network_.tunnels) {
      if (is_marked_into(tunnel.link)) {
        say("marked_into_tunnel",
            "Some traffic of this machine goes into VPN " + tunnel.link +
                " by a firewall mark; whether this browser's does cannot be told from here.",
            {{"tunnel", tunnel.link}});
      } else {
        say("split_tunnel", "VPN " + tunnel.link + " is up, but the web's traffic goes beside it.",
            {{"tunnel", tunnel.link}});
      }
    }
    if (reasons_.empty()) say("no_tunnel", "No VPN carries web traffic.");
  }

  void full_tunnel() {
    const std::string tunnel = tunnel_name();
    if (network_.ipv4.marked_beside || network_.ipv6.marked_beside) {
      say("full_tunnel_unmarked",
          "VPN " + tunnel + " carries all web traffic of programs that no rule sends elsewhere.",
          {{"tunnel", tunnel}});
    } else {
      say("full_tunnel", "VPN " + tunnel + " carries all web traffic.", {{"tunnel", tunnel}});
    }
  }

  void of_family(const FamilyState& family, const std::string& word) {
    if (family.verdict == Verdict::direct) outside(family, word);
    if (family.verdict == Verdict::partial) partial(family, word);
    if (!in_vpn(family.verdict)) return;
    if (!family.datagrams_link.empty()) {
      say("udp_outside_tunnel",
          "VPN " + tunnel_name() +
              " carries web traffic, but other UDP traffic leaves it aside, over " +
              family.datagrams_link + "; WebRTC uses UDP.",
          {{"tunnel", tunnel_name()}, {"link", family.datagrams_link}});
    }
    if (!family.excluded.empty()) excluded(family, word);
    if (family.unknown_ways) {
      say("ways_unknown",
          "Where some traffic goes cannot be told from the rules and routes; it counts as outside "
          "the VPN.");
    }
    if (family.disputed) {
      const std::string where = in_words({*family.disputed}, "");
      say("ways_disputed",
          "The kernel sends " + where +
              " elsewhere than its rules and routes say; the stricter counts.",
          {{"example", where}});
    }
  }

  void outside(const FamilyState& family, const std::string& word) {
    const std::string tunnel = tunnel_name();
    say(word == "IPv4" ? "ipv4_outside_tunnel" : "ipv6_outside_tunnel",
        "VPN " + tunnel + " carries no " + word + "; " + family.link + " routes it.",
        {{"tunnel", tunnel}, {"link", family.link}});
    if (word == "IPv6" && settings_.protection.accept_isp_v6) {
      say("isp_v6_accepted",
          "The IPv6 address of " + family.link + " is meant to be seen: the settings accept it.",
          {{"link", family.link}});
      return;
    }
    if (word == "IPv6" && may_accept(settings_)) {
      say("may_accept_isp_v6",
          "If this IPv6 address is meant to be seen, put \"accept\": [\"isp_v6\"] into icelock's "
          "settings: then calls come back.");
    }
    say("http_shows_too",
        "Plain web traffic over " + family.link +
            " shows the same address, unless a firewall refuses it; no WebRTC setting can hide it "
            "there.",
        {{"link", family.link}});
  }

  void partial(const FamilyState& family, const std::string& word) {
    say("partial_tunnel",
        "Some " + word + " traffic leaves the VPN aside" +
            (family.link.empty() ? "" : ", over " + family.link) + ".",
        family.link.empty()
            ? std::map<std::string, std::string>{}
            : std::map<std::string, std::string>{{"tunnel", tunnel_name()}, {"link", family.link}});
  }

  void excluded(const FamilyState& family, const std::string& word) {
    const std::string tunnel = tunnel_name();
    const std::string list = in_words(family.excluded, family.excluded_link);
    say("excluded_routes",
        "VPN " + tunnel + " is up, but these public " + word +
            " addresses leave it aside: " + list + ".",
        {{"tunnel", tunnel}, {"example", list}});
    const CallService* service = owner_of(family.excluded);
    if (!service || settings_.floor > Level::default_route_only) return;
    say("excluded_service",
        "These addresses are those of " + service->name + ": `icelock allow " + service->pattern +
            "` lets its calls through.",
        {{"service", service->name}, {"pattern", service->pattern}});
  }

  void neighbours(const FamilyState& family) {
    if (family.neighbours.empty()) return;
    const std::string list = in_words(family.neighbours, "");
    say("neighbours_outside_tunnel",
        "Neighbours in " + list + " on " + family.neighbours_link +
            " are reached beside the VPN and see this machine's own address there.",
        {{"link", family.neighbours_link}, {"example", list}});
  }

  const Network& network_;
  const Settings& settings_;
  std::vector<Reason> reasons_;
};

}  // namespace

Reason reason(std::string code, std::string text, std::map<std::string, std::string> args) {
  return {std::move(code), std::move(text), std::move(args)};
}

bool in_vpn(Verdict verdict) {
  return verdict == Verdict::tunnel || verdict == Verdict::ipsec || verdict == Verdict::partial;
}

bool protects(const Network& network) {
  if (in_vpn(network.ipv4.verdict) || in_vpn(network.ipv6.verdict)) return true;
  if (network.ipv4.verdict == Verdict::blocked) return true;
  // Machines without IPv6 often carry an unreachable IPv6 route; next to direct IPv4 that is no
  // kill switch.
  return network.ipv6.verdict == Verdict::blocked && network.ipv4.verdict != Verdict::direct;
}

std::vector<Reason> explain(const Network& network, const Settings& settings) {
  return Explanation(network, settings).run();
}

}  // namespace icelock::guard
