// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <cstdio>

#include "policy/export_parts.h"

namespace icelock::policy {
namespace {

using Type = RegistryValue::Type;

// Windows keeps text as UTF-16, low byte first. `text` is UTF-8 out of a JSON library, so it is
// well formed.
std::string utf16(std::string_view text) {
  std::string result;
  const auto unit = [&](std::uint32_t value) {
    result += static_cast<char>(value & 0xffU);
    result += static_cast<char>(value >> 8U & 0xffU);
  };
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    int more = 0;
    if (lead >= 0xc0) more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    std::uint32_t point = more == 0 ? lead : lead & (0x3fU >> static_cast<unsigned>(more));
    for (; more > 0 && i < text.size(); --more) {
      point = point << 6U | (static_cast<unsigned char>(text[i++]) & 0x3fU);
    }
    if (point < 0x10000) {
      unit(point);
    } else {
      unit(0xd800U + ((point - 0x10000) >> 10U));
      unit(0xdc00U + ((point - 0x10000) & 0x3ffU));
    }
  }
  return result;
}

std::string little_endian(std::uint32_t value) {
  std::string result;
  for (int i = 0; i < 4; ++i, value >>= 8U) result += static_cast<char>(value & 0xffU);
  return result;
}

// The bytes that Windows stores.
std::string data_of(const RegistryValue& value) {
  if (value.type == Type::number) return little_endian(value.number);
  const std::string end(value.type == Type::lines ? 4 : 2, '\0');
  return utf16(value.text) + end;
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

// As the registry editor writes it: lines of at most 80 columns.
std::string hex_of(std::string_view bytes, std::size_t column) {
  std::string result;
  std::array<char, 4> digits{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (column > 76) {
      result += "\\\r\n  ";
      column = 2;
    }
    const auto byte = static_cast<unsigned>(static_cast<unsigned char>(bytes[i]));
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    result += digits.data();
    if (i + 1 < bytes.size()) result += ',';
    column += 3;
  }
  return result;
}

std::string reg_line(const RegistryValue& value) {
  const std::string name = in_quotes(value.name) + "=";
  if (value.type == Type::text) return name + in_quotes(value.text);
  if (value.type == Type::lines) {
    return name + "hex(7):" + hex_of(data_of(value), name.size() + 7);
  }
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "dword:%08x", value.number);
  return name + digits.data();
}

Result<Export> reg_file(const Rendering& rendering, bool undo) {
  std::string text = "Windows Registry Editor Version 5.00\r\n";
  for (const Rendered& one : rendering.browsers) {
    std::string key;
    for (const RegistryValue& value : registry_values(one)) {
      if (key != value.key) text += "\r\n[HKEY_LOCAL_MACHINE\\" + value.key + "]\r\n";
      key = value.key;
      text += (undo ? in_quotes(value.name) + "=-" : reg_line(value)) + "\r\n";
    }
  }
  return Export{{{undo ? "icelock-undo.reg" : "icelock.reg", "\xff\xfe" + utf16(text + "\r\n")}},
                rendering.notes};
}

// Microsoft, "Registry Policy File Format": a signature, a version, then [key;value;type;size;data]
// with the punctuation in UTF-16 too.
std::string pol_entry(const RegistryValue& value) {
  const std::string zero(2, '\0');
  const std::string next = utf16(";");
  const std::string data = data_of(value);
  return utf16("[") + utf16(value.key) + zero + next + utf16(value.name) + zero + next +
         little_endian(static_cast<std::uint32_t>(value.type)) + next +
         little_endian(static_cast<std::uint32_t>(data.size())) + next + data + utf16("]");
}

// The vendors' policy templates, and what Intune calls a policy of one that was taken in under the
// name before the first '~' (Microsoft, "Configure Microsoft Edge using Mobile Device Management";
// mozilla/policy-templates, docs/oma-uris.md).
struct Template {
  std::string_view browser;
  std::string_view file;
  std::string_view area;  ///< empty: not for Intune
};
constexpr std::array templates = {
    Template{"chrome", "chrome.admx", "Chrome~Policy~googlechrome"},
    Template{"chromium", "chromium.admx", ""},
    Template{"edge", "msedge.admx", "Edge~Policy~microsoft_edge"},
    Template{"brave", "brave.admx", ""},
    Template{"vivaldi", "", ""},
    Template{"firefox", "firefox.admx", "Firefox~Policy~firefox"},
};

const Template& template_of(const Browser& browser) {
  return *std::ranges::find(templates, browser.id, &Template::browser);
}

// The folder of a policy in the templates, by the beginning of its name (Chromium
// policy_definitions/; mozilla/policy-templates, docs/oma-uris.md). The rest lies at the top.
std::string category_of(std::string_view policy) {
  constexpr std::array<std::array<std::string_view, 2>, 3> folders = {
      {{"WebRtc", "WebRtc"}, {"Extension", "Extensions"}, {"NativeMessaging", "NativeMessaging"}}};
  for (const auto& [start, folder] : folders) {
    if (policy.starts_with(start)) return "~" + std::string(folder);
  }
  return {};
}

std::string csv_field(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + "\"";
}

std::string csv_row(const Rendered& one, const RegistryValue& value) {
  const bool number = value.type == Type::number;
  std::string row;
  for (const std::string_view field : {one.browser->name, template_of(*one.browser).file,
                                       std::string_view(value.key), std::string_view(value.name)}) {
    row += csv_field(field) + ",";
  }
  const std::string_view type = number                     ? "REG_DWORD"
                                : value.type == Type::text ? "REG_SZ"
                                                           : "REG_MULTI_SZ";
  return row + csv_field(type) + "," +
         csv_field(number ? std::to_string(value.number) : value.text) + "\r\n";
}

// What Intune takes for a policy: XML without a root. A list is its positions and values with a
// character between them that no value holds.
std::string intune_value(const Browser& browser, const std::string& policy,
                         const OrderedJson& value) {
  if (value.is_boolean()) return value.get<bool>() ? "<enabled/>" : "<disabled/>";
  std::string id = policy;
  std::string text;
  if (value.is_string()) {
    text = xml_escaped(value.get<std::string>());
  } else if (is_list_of_strings(value)) {
    id += "Desc";
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) text += "&#xF000;";
      text += std::to_string(i + 1) + "&#xF000;";
      text += xml_escaped(value[i].get<std::string>());
    }
  } else {
    if (browser.family == BrowserFamily::firefox && value.is_structured()) id = "JSON";
    text = xml_escaped(value.dump());
  }
  return "<enabled/>\n<data id=\"" + xml_escaped(id) + "\" value=\"" + text + "\"/>";
}

std::string below(std::string key, std::string_view name) {
  key += '\\';
  key += name;
  return key;
}

void add_values(std::vector<RegistryValue>& found, const std::string& key, const std::string& name,
                const OrderedJson& value, bool firefox) {
  RegistryValue one;
  one.key = key;
  one.name = name;
  if (value.is_boolean()) {
    one.type = Type::number;
    one.number = value.get<bool>() ? 1 : 0;
  } else if (value.is_number_integer()) {
    one.type = Type::number;
    one.number = static_cast<unsigned>(value.get<std::int64_t>());
  } else if (value.is_string()) {
    one.text = value.get<std::string>();
  } else if (is_list_of_strings(value) && !value.empty()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      add_values(found, below(key, name), std::to_string(i + 1), value[i], firefox);
    }
    return;
  } else {
    one.type = firefox ? Type::lines : Type::text;
    one.text = value.dump();
  }
  found.push_back(std::move(one));
}

// Keys within keys: extensions, the id, in Chromium "policy", and there each setting (Chromium
// policy_loader_win.cc; mozilla/policy-templates, "3rdparty").
void add_third_party(std::vector<RegistryValue>& found, const std::string& key,
                     const OrderedJson& kinds, bool firefox) {
  for (const auto& [kind, extensions] : kinds.items()) {
    for (const auto& [id, settings] : extensions.items()) {
      std::string place = below(below(key, kind), id);
      if (!firefox) place = below(place, "policy");
      for (const auto& [name, value] : settings.items()) {
        add_values(found, place, name, value, firefox);
      }
    }
  }
}

}  // namespace

std::vector<RegistryValue> registry_values(const Rendered& one) {
  std::vector<RegistryValue> found;
  const std::string key(one.browser->registry_key);
  const bool firefox = one.browser->family == BrowserFamily::firefox;
  // A key's own values first: the registry editor's file names each key once.
  for (const bool lists : {false, true}) {
    for (const auto& [name, value] : one.values.items()) {
      if (lists != (is_list_of_strings(value) && !value.empty()) || name == third_party) continue;
      add_values(found, key, name, value, firefox);
    }
  }
  if (const auto extensions = one.values.find(third_party); extensions != one.values.end()) {
    add_third_party(found, below(key, third_party), *extensions, firefox);
  }
  return found;
}

Result<Export> export_reg(const Rendering& rendering) {
  return reg_file(rendering, false);
}

Result<Export> export_reg_undo(const Rendering& rendering) {
  return reg_file(rendering, true);
}

Result<Export> export_gpo(const Rendering& rendering) {
  std::string pol = "PReg" + little_endian(1);
  std::string table = "browser,template,key,value,type,data\r\n";
  for (const Rendered& one : rendering.browsers) {
    for (const RegistryValue& value : registry_values(one)) {
      pol += pol_entry(value);
      table += csv_row(one, value);
    }
  }
  return Export{{{"Machine/registry.pol", pol}, {"values.csv", table}}, rendering.notes};
}

Result<Export> export_intune(const Rendering& rendering) {
  OrderedJson settings = OrderedJson::array();
  std::vector<const Browser*> others;
  bool extensions = false;
  for (const Rendered& one : rendering.browsers) {
    const Template& its = template_of(*one.browser);
    if (its.area.empty()) {
      others.push_back(one.browser);
      continue;
    }
    for (const auto& [name, value] : one.values.items()) {
      if (name == third_party) {
        extensions = true;
        continue;
      }
      settings.push_back({{"@odata.type", "#microsoft.graph.omaSettingString"},
                          {"displayName", std::string(one.browser->name) + ": " + name},
                          {"description", "needs " + std::string(its.file) + ", taken in as " +
                                              std::string(its.area.substr(0, its.area.find('~')))},
                          {"omaUri", "./Device/Vendor/MSFT/Policy/Config/" + std::string(its.area) +
                                         category_of(name) + "/" + name},
                          {"value", intune_value(*one.browser, name, value)}});
    }
  }
  if (settings.empty()) return Export{};
  std::vector<std::string> notes = rendering.notes;
  add_left_out(notes, others);
  if (extensions) notes.emplace_back("settings of extensions are left out: use the registry file");
  const OrderedJson profile = {{"@odata.type", "#microsoft.graph.windows10CustomConfiguration"},
                               {"displayName", "icelock"},
                               {"description", "WebRTC handling of browsers"},
                               {"omaSettings", std::move(settings)}};
  return Export{{{"intune.json", pretty(profile)}}, std::move(notes)};
}

}  // namespace icelock::policy
