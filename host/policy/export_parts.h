// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/export.h"

// What the exporters share. Private to policy/; includes json.hpp, so for source files only.

namespace icelock::policy {

using OrderedJson = nlohmann::ordered_json;

/// A browser with the policies that apply would set in it, on a machine with none: for Firefox the
/// members of "policies".
struct Rendered {
  const Browser* browser = nullptr;
  WantedPolicy wanted;
  OrderedJson values;
};

struct Rendering {
  std::vector<Rendered> browsers;  ///< in the order of the browser table
  /// The policy files of all of them together, as apply would write them: two browsers may read one
  /// file.
  std::vector<ExportFile> tree;
  std::vector<std::string> notes;
  std::vector<std::string> tree_notes;  ///< about files that two browsers read
};

/// The policy that holds settings of extensions: each engine has a place of its own for them, and
/// no vendor's template has one.
inline constexpr std::string_view third_party = "3rdparty";

Result<Export> export_reg(const Rendering& rendering);
/// The values of export_reg() taken away.
Result<Export> export_reg_undo(const Rendering& rendering);
Result<Export> export_gpo(const Rendering& rendering);
Result<Export> export_intune(const Rendering& rendering);
Result<Export> export_macos(const Rendering& rendering);
Result<Export> export_ansible(const Rendering& rendering);

/// JSON for people, with a newline at the end.
std::string pretty(const OrderedJson& value);
/// For XML text and attribute values in double quotes.
std::string xml_escaped(std::string_view text);
/// Says that these have no place in a format, and takes away what is said about them.
void add_left_out(std::vector<std::string>& notes, const std::vector<const Browser*>& browsers);
bool is_list_of_strings(const OrderedJson& value);

/// A value in the Windows registry, below HKEY_LOCAL_MACHINE. Chromium and Firefox read the same
/// forms for booleans, numbers, strings and lists of strings (numbered values in a key of the
/// policy's name); what is deeper is JSON: one string in Chromium, REG_MULTI_SZ in Firefox.
/// (Chromium registry_dict.cc; mozilla/policy-templates.)
struct RegistryValue {
  enum class Type : unsigned char { text = 1, number = 4, lines = 7 };  ///< as Windows counts them
  std::string key;
  std::string name;
  Type type = Type::text;
  std::string text;     ///< UTF-8; for `lines` a single line
  unsigned number = 0;  ///< for `number`
};
std::vector<RegistryValue> registry_values(const Rendered& one);

/// A file of the Ansible role, as it lies in policies/ansible.
struct RoleFile {
  std::string_view path;
  std::string_view bytes;
};
extern const std::vector<RoleFile> role_files;

}  // namespace icelock::policy
