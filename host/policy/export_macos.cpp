// SPDX-License-Identifier: Apache-2.0
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "policy/export_parts.h"

namespace icelock::policy {
namespace {

// Of the same content always the same, so that a management server sees no change where none is.
std::string uuid_of(std::string_view content) {
  const auto ours = boost::uuids::string_generator()("1e3a5ac1-6d0f-5c55-9d4f-0f6f0a2b7c10");
  std::string text = boost::uuids::to_string(
      boost::uuids::name_generator_sha1(ours)(content.data(), content.size()));
  for (char& c : text) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string plist_of(const OrderedJson& value, const std::string& indent) {
  const std::string inner = indent + "\t";
  if (value.is_object()) {
    std::string text = indent + "<dict>\n";
    for (const auto& [name, member] : value.items()) {
      text += inner + "<key>" + xml_escaped(name) + "</key>\n" + plist_of(member, inner);
    }
    return text + indent + "</dict>\n";
  }
  if (value.is_array()) {
    std::string text = indent + "<array>\n";
    for (const OrderedJson& item : value) text += plist_of(item, inner);
    return text + indent + "</array>\n";
  }
  if (value.is_string()) {
    return indent + "<string>" + xml_escaped(value.get<std::string>()) + "</string>\n";
  }
  if (value.is_boolean()) return indent + (value.get<bool>() ? "<true/>\n" : "<false/>\n");
  const std::string_view tag = value.is_number_integer() ? "integer" : "real";
  return indent + "<" + std::string(tag) + ">" + value.dump() + "</" + std::string(tag) + ">\n";
}

// Without the identity, whose UUID is made of the rest.
OrderedJson with_identity(const std::string& name, std::string_view type, std::string_view title,
                          const OrderedJson& content) {
  OrderedJson payload = {{"PayloadType", type},
                         {"PayloadVersion", 1},
                         {"PayloadIdentifier", name},
                         {"PayloadUUID", uuid_of(name + content.dump())},
                         {"PayloadDisplayName", title}};
  payload.update(content);
  return payload;
}

}  // namespace

Result<Export> export_macos(const Rendering& rendering) {
  OrderedJson payloads = OrderedJson::array();
  for (const Rendered& one : rendering.browsers) {
    const std::string domain(one.browser->mac_domain);
    OrderedJson content = one.values;
    // Firefox reads managed preferences only with this (mozilla/policy-templates, mac/README.md).
    if (one.browser->family == BrowserFamily::firefox) content["EnterprisePoliciesEnabled"] = true;
    payloads.push_back(
        with_identity("icelock.webrtc." + domain, domain, one.browser->name, content));
  }
  const OrderedJson profile = with_identity("icelock.webrtc", "Configuration", "icelock",
                                            {{"PayloadDescription", "WebRTC handling of browsers"},
                                             {"PayloadScope", "System"},
                                             {"PayloadContent", std::move(payloads)}});
  return Export{{{"icelock.mobileconfig",
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                  "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n" +
                      plist_of(profile, "") + "</plist>\n"}},
                rendering.notes};
}

}  // namespace icelock::policy
