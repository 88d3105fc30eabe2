// SPDX-License-Identifier: Apache-2.0
#include "policy/export.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/export_parts.h"
#include "policy/render.h"
#include "policy/targets.h"

namespace icelock::policy {
namespace {

Result<Rendered> render(const Browser& browser, const WantedPolicy& wanted) {
  const auto plan = TRY(plan_on(Tree::empty(), {{std::string(browser.id), wanted}}));
  OrderedJson values = OrderedJson::parse(plan.changes.front().after, nullptr, false);
  if (browser.family == BrowserFamily::firefox && values.contains("policies")) {
    values = OrderedJson(values["policies"]);
  }
  if (!values.is_object()) {
    return fail(Code::internal, "what was rendered is no policy", std::string(browser.id));
  }
  return Rendered{&browser, wanted, std::move(values)};
}

// Notes are for all formats, but for those about a file that two browsers read, and those about the
// machine that is none.
void take_notes(Rendering& rendering, const Change& change) {
  const auto has = [](const std::string& note, std::string_view words) {
    return note.find(words) != note.npos;
  };
  for (const std::string& note : change.notes) {
    if (has(note, "is not installed")) continue;
    const bool shared = has(note, "the same file") || has(note, "the file says");
    std::vector<std::string>& notes = shared ? rendering.tree_notes : rendering.notes;
    const Browser* browser = find_browser(change.browser);
    notes.push_back((browser == nullptr ? change.browser : std::string(browser->name)) + ": " +
                    note);
  }
}

Result<Rendering> render_all(const Wanted& wanted) {
  const auto plan = TRY(plan_on(Tree::empty(), wanted));
  Rendering rendering;
  for (const Change& change : plan.changes) {
    if (change.kind == Change::Kind::none) continue;
    take_notes(rendering, change);
    rendering.tree.push_back({change.path.string(), change.after});
  }
  std::ranges::sort(rendering.tree, {}, &ExportFile::path);
  for (const Browser& browser : browsers()) {
    const auto found = wanted.find(std::string(browser.id));
    if (found == wanted.end()) continue;
    auto one = TRY(render(browser, found->second));
    rendering.browsers.push_back(std::move(one));
  }
  return rendering;
}

OrderedJson sites_of(const Rendered& one) {
  OrderedJson list = OrderedJson::array();
  for (const SiteException& site :
       effective_sites(*one.browser, one.wanted.at_least(), one.wanted.sites)) {
    list.push_back({{"pattern", site.pattern}, {"level", name(site.level)}});
  }
  return list;
}

Result<Export> export_json(const Rendering& rendering) {
  OrderedJson list = OrderedJson::object();
  for (const Rendered& one : rendering.browsers) {
    list[std::string(one.browser->id)] = {
        {"name", one.browser->name},
        {"level", one.wanted.level ? OrderedJson(name(*one.wanted.level)) : OrderedJson(nullptr)},
        {"sites", sites_of(one)},
        {"policies", one.values},
        {"registry_key", one.browser->registry_key},
        {"mac_domain", one.browser->mac_domain}};
  }
  OrderedJson tree = OrderedJson::object();
  for (const ExportFile& file : rendering.tree) tree[file.path] = file.bytes;
  return Export{{{"policy.json", pretty({{"v", 1},
                                         {"browsers", std::move(list)},
                                         {"linux_files", std::move(tree)},
                                         {"notes", rendering.notes}})}},
                {}};
}

Result<Export> export_linux(const Rendering& rendering) {
  Export result{rendering.tree, rendering.tree_notes};
  result.notes.insert(result.notes.end(), rendering.notes.begin(), rendering.notes.end());
  return result;
}

// The console takes an object with the policies' own names and values (Google, "Set Chrome policies
// using the Custom Configurations page").
Result<Export> export_cloud(const Rendering& rendering) {
  Export result{{}, rendering.notes};
  std::vector<const Browser*> others;
  bool extensions = false;
  for (const Rendered& one : rendering.browsers) {
    if (one.browser->id == "chrome" || one.browser->id == "edge") {
      OrderedJson values = one.values;
      extensions = values.erase(std::string(third_party)) > 0 || extensions;
      result.files.push_back({std::string(one.browser->id) + ".json", pretty(values)});
    } else {
      others.push_back(one.browser);
    }
  }
  add_left_out(result.notes, others);
  if (extensions) {
    result.notes.emplace_back("settings of extensions are left out: set them at the extension");
  }
  return result;
}

struct Row {
  ExportFormat format;
  Result<Export> (*make)(const Rendering&);
};
constexpr std::array rows = {
    Row{{"json", "each browser's policies as one JSON document", false}, export_json},
    Row{{"linux", "a tree of policy files, as apply writes them", true}, export_linux},
    Row{{"reg", "a file for Windows' registry editor", false}, export_reg},
    Row{{"reg-undo", "one that takes those values away", false}, export_reg_undo},
    Row{{"gpo", "registry.pol for Group Policy, and a table of its values", true}, export_gpo},
    Row{{"intune", "a custom configuration for Intune", false}, export_intune},
    Row{{"macos", "a configuration profile for macOS", false}, export_macos},
    Row{{"ansible", "an Ansible role", true}, export_ansible},
    Row{{"chrome-cloud", "JSON for the consoles of Chrome and Edge", true}, export_cloud},
};

constexpr auto formats = [] {
  std::array<ExportFormat, rows.size()> result{};
  for (std::size_t i = 0; i < rows.size(); ++i) result[i] = rows[i].format;
  return result;
}();

}  // namespace

std::span<const ExportFormat> export_formats() {
  return formats;
}

const ExportFormat* find_export_format(std::string_view name) {
  const auto* found = std::ranges::find(formats, name, &ExportFormat::name);
  return found == formats.end() ? nullptr : found;
}

Result<Export> export_policy(const Wanted& wanted, std::string_view format) {
  const ExportFormat* found = find_export_format(format);
  if (found == nullptr) return fail(Code::not_found, "no such format", std::string(format));
  const auto rendering = TRY(render_all(wanted));
  auto result = rows[static_cast<std::size_t>(found - formats.data())].make(rendering);
  if (result && result->files.empty()) {
    return fail(Code::not_found, "none of these browsers has a place in this format",
                std::string(format));
  }
  const bool installs =
      std::ranges::any_of(wanted, [](const auto& one) { return one.second.extension.has_value(); });
  // The role looks at each machine and merges.
  if (result && installs && format != "ansible") {
    result->notes.push_back(std::string(extension_settings_key) +
                            " is one value: where you set it already, merge the two, or one of "
                            "them is lost");
  }
  return result;
}

std::string pretty(const OrderedJson& value) {
  return value.dump(2) + "\n";
}

std::string xml_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&quot;";
    } else {
      result += c;
    }
  }
  return result;
}

void add_left_out(std::vector<std::string>& notes, const std::vector<const Browser*>& browsers) {
  std::string names;
  for (const Browser* browser : browsers) {
    names += (names.empty() ? "" : ", ") + std::string(browser->name);
    const std::string start = std::string(browser->name) + ": ";
    std::erase_if(notes, [&](const std::string& note) { return note.starts_with(start); });
  }
  if (!names.empty())
    notes.push_back("left out, because this format has no place for them: " + names);
}

bool is_list_of_strings(const OrderedJson& value) {
  return value.is_array() &&
         std::ranges::all_of(value, [](const OrderedJson& item) { return item.is_string(); });
}

}  // namespace icelock::policy
