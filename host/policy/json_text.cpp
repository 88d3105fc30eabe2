// SPDX-License-Identifier: Apache-2.0
#include "policy/json_text.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "policy/json_parse.h"

namespace icelock::policy {
namespace {

constexpr std::string_view blanks = " \t\r\n";

struct Member {
  std::string key;
  std::size_t key_begin = 0;
  std::size_t value_begin = 0;
  std::size_t value_end = 0;
};

struct Object {
  std::size_t open = 0;   // of '{'
  std::size_t close = 0;  // of '}'
  std::vector<Member> members;
};

// The scanning functions below run only over text that nlohmann::json has accepted, so they need
// not look for errors; `at` always stays inside the text.

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

std::size_t value_end(std::string_view text, std::size_t at) {
  if (text[at] == '"') return string_end(text, at);
  if (text[at] != '{' && text[at] != '[') {
    return std::min(text.find_first_of(" \t\r\n,]}", at), text.size());
  }
  std::size_t depth = 0;
  for (;;) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
}

Object scan_object(std::string_view text, std::size_t open) {
  Object object;
  object.open = open;
  std::size_t at = skip_blanks(text, open + 1);
  while (text[at] != '}') {
    Member member;
    member.key_begin = at;
    at = string_end(text, at);
    // A key may be spelt with escapes; only its meaning counts.
    member.key = nlohmann::json::parse(text.substr(member.key_begin, at - member.key_begin))
                     .get<std::string>();
    at = skip_blanks(text, at);      // ':'
    at = skip_blanks(text, at + 1);  // the value
    member.value_begin = at;
    member.value_end = at = value_end(text, at);
    object.members.push_back(std::move(member));
    at = skip_blanks(text, at);
    if (text[at] == ',') at = skip_blanks(text, at + 1);
  }
  object.close = at;
  return object;
}

const Member* find(const Object& object, std::string_view key) {
  const auto found = std::ranges::find(object.members, key, &Member::key);
  return found == object.members.end() ? nullptr : &*found;
}

Result<void> check_unique(const Object& object) {
  std::set<std::string_view> seen;
  for (const Member& member : object.members) {
    if (!seen.insert(member.key).second) {
      return fail(Code::bad_policy_file, "a key is there twice", member.key);
    }
  }
  return {};
}

// The objects from the outermost one down, as far as they exist.
Result<std::vector<Object>> objects_on(std::string_view text, const ObjectPath& path) {
  TRY(check_object_text(text));
  std::vector<Object> found;
  found.push_back(scan_object(text, skip_blanks(text, 0)));
  for (std::size_t i = 0;; ++i) {
    TRY(check_unique(found.back()));
    if (i == path.size()) return found;
    const Member* member = find(found.back(), path[i]);
    if (member == nullptr) return found;
    if (text[member->value_begin] != '{') {
      return fail(Code::bad_policy_file, "not an object", std::string(path[i]));
    }
    found.push_back(scan_object(text, member->value_begin));
  }
}

std::string_view line_end(std::string_view text) {
  const std::size_t newline = text.find('\n');
  return newline != 0 && newline != text.npos && text[newline - 1] == '\r' ? "\r\n" : "\n";
}

// The blanks at the start of the line that holds `at`.
std::string_view line_indent(std::string_view text, std::size_t at) {
  const std::size_t newline = text.rfind('\n', at);
  const std::size_t begin = newline == text.npos ? 0 : newline + 1;
  const std::size_t end = std::min(text.find_first_not_of(" \t", begin), at);
  return text.substr(begin, end - begin);
}

// Whether a member stands on a line of its own.
bool begins_line(std::string_view text, const Member& member) {
  const std::size_t before = text.find_last_not_of(" \t", member.key_begin - 1);
  return text[before] == '\n';
}

std::string_view indent_unit(std::string_view text) {
  const Object top = scan_object(text, skip_blanks(text, 0));
  if (top.members.empty() || !begins_line(text, top.members.front())) return "  ";
  const std::string_view indent = line_indent(text, top.members.front().key_begin);
  return indent.empty() ? "  " : indent;
}

std::string insert_in_empty(std::string_view text, const Object& object, const Object* parent,
                            const std::string& member) {
  const std::string_view inside = text.substr(object.open + 1, object.close - object.open - 1);
  std::string added = member;
  if (parent == nullptr || begins_line(text, parent->members.front())) {
    const std::string_view eol = line_end(text);
    const std::string_view indent = line_indent(text, object.open);
    added = std::string(eol) + std::string(indent) + std::string(indent_unit(text)) + member;
    if (inside.find('\n') == inside.npos) added += std::string(eol) + std::string(indent);
  }
  return std::string(text).insert(object.open + 1, added);
}

std::string insert_last(std::string_view text, const Object& object, const std::string& member) {
  const Member& last = object.members.back();
  std::string added = ", ";
  if (begins_line(text, last)) {
    added = "," + std::string(line_end(text)) + std::string(line_indent(text, last.key_begin));
  }
  return std::string(text).insert(last.value_end, added + member);
}

}  // namespace

Result<void> check_object_text(std::string_view text) {
  // nlohmann::json would step over the mark, and a browser may not.
  if (text.starts_with("\xEF\xBB\xBF")) {
    return fail(Code::bad_policy_file, "begins with a byte order mark");
  }
  const auto parsed = parse_strict(text);
  if (!parsed) return fail(Code::bad_policy_file, "not valid JSON");
  if (!parsed->is_object()) return fail(Code::bad_policy_file, "not a JSON object");
  return {};
}

Result<std::optional<std::string>> member_text(std::string_view text, const ObjectPath& path,
                                               std::string_view key) {
  auto objects = TRY(objects_on(text, path));
  if (objects.size() <= path.size()) return std::nullopt;
  const Member* member = find(objects.back(), key);
  if (member == nullptr) return std::nullopt;
  return std::string(text.substr(member->value_begin, member->value_end - member->value_begin));
}

Result<std::string> with_member(std::string_view text, const ObjectPath& path, std::string_view key,
                                std::string_view value) {
  auto objects = TRY(objects_on(text, path));
  const Object& object = objects.back();
  const std::size_t depth = objects.size() - 1;
  const bool missing = depth < path.size();
  const std::string_view name = missing ? path[depth] : key;
  std::string edited(text);
  if (const Member* member = missing ? nullptr : find(object, key)) {
    edited.replace(member->value_begin, member->value_end - member->value_begin, value);
    return edited;
  }
  const std::string member =
      '"' + std::string(name) + "\": " + std::string(missing ? std::string_view("{}") : value);
  const Object* parent = depth == 0 ? nullptr : &objects[depth - 1];
  edited = object.members.empty() ? insert_in_empty(text, object, parent, member)
                                  : insert_last(text, object, member);
  return missing ? with_member(edited, path, key, value) : edited;
}

Result<std::string> without_member(std::string_view text, const ObjectPath& path,
                                   std::string_view key) {
  auto objects = TRY(objects_on(text, path));
  std::string edited(text);
  if (objects.size() <= path.size()) return edited;
  const Object& object = objects.back();
  for (std::size_t i = 0; i < object.members.size(); ++i) {
    const Member& member = object.members[i];
    if (member.key != key) continue;
    std::size_t begin = object.open + 1;
    std::size_t end = object.close;
    if (i > 0) {
      begin = object.members[i - 1].value_end;
      end = member.value_end;
    } else if (object.members.size() > 1) {
      begin = member.key_begin;
      end = object.members[1].key_begin;
    }
    return edited.erase(begin, end - begin);
  }
  return edited;
}

Result<bool> is_empty_object(std::string_view text, const ObjectPath& path) {
  auto objects = TRY(objects_on(text, path));
  return objects.size() > path.size() && objects.back().members.empty();
}

}  // namespace icelock::policy
