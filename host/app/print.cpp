// SPDX-License-Identifier: Apache-2.0
#include "app/print.h"

#include <iomanip>
#include <ostream>
#include <utility>

#include "ipc/message.h"

namespace icelock::app {
namespace {

constexpr int label_width = 10;

std::string in_words(const net::FamilyState& family, std::string_view word) {
  std::string text(word);
  switch (family.verdict) {
    case net::Verdict::direct:
      return text + " goes out directly over " + family.link;
    case net::Verdict::tunnel:
      return text + " goes through VPN " + family.link;
    case net::Verdict::ipsec:
      return text + " goes through IPsec over " + family.link;
    case net::Verdict::partial:
      return text + " goes partly through a VPN, partly past it" +
             (family.link.empty() ? "" : " over " + family.link);
    case net::Verdict::blocked:
      return text + " is blocked";
    case net::Verdict::none:
      break;
  }
  return text + " is not there";
}

std::string_view in_words(ice::ExposureClass exposure_class) {
  using enum ice::ExposureClass;
  switch (exposure_class) {
    case lan:
      return "this machine's own address";
    case tunnel:
      return "this machine's address inside the VPN";
    case egress:
      return "the VPN's public address";
    case isp_v4:
      return "your provider's IPv4 address";
    case isp_v6:
      return "your provider's IPv6 address";
  }
  return "an address";
}

}  // namespace

std::string in_words(const ice::Exposure& exposure) {
  std::string text(in_words(exposure.exposure_class));
  if (!exposure.address.empty()) text += " " + exposure.address;
  if (!exposure.link.empty()) text += ", over " + exposure.link;
  return text;
}

void print_row(std::ostream& out, std::string_view label, std::string_view text) {
  out << std::left << std::setw(label_width) << label << text << '\n';
}

void print_network(std::ostream& out, const net::Network& network) {
  print_row(out, "Network", in_words(network.ipv4, "IPv4"));
  print_row(out, "", in_words(network.ipv6, "IPv6"));
  for (const net::Tunnel& tunnel : network.tunnels) {
    print_row(out, "VPN",
              tunnel.link + " (" + tunnel.kind + "): IPv4 " + std::string(name(tunnel.ipv4)) +
                  ", IPv6 " + std::string(name(tunnel.ipv6)));
  }
}

void print_reasons(std::ostream& out, const std::vector<guard::Reason>& reasons) {
  std::string_view label = "Why";
  for (const guard::Reason& reason : reasons) {
    print_row(out, std::exchange(label, ""), reason.text);
  }
}

int report_error(const Error& error, const Output& output) {
  if (output.json) {
    const ipc::Json json = {{"v", ipc::protocol_version},
                            {"ok", false},
                            {"code", info(error.code).name},
                            {"what", error.what},
                            {"object", error.object}};
    output.out << ipc::text_of(json) << '\n';
  } else {
    output.err << "icelock: " << to_string(error) << " [" << info(error.code).name << "]\n";
  }
  return info(error.code).exit_code;
}

void print_success(const ipc::Json& members, std::ostream& out) {
  ipc::Json json = {{"v", ipc::protocol_version}, {"ok", true}};
  json.update(members);
  out << ipc::text_of(json, 2) << '\n';
}

}  // namespace icelock::app
