// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Editing one member of a JSON text and leaving every other byte as it is: order, spacing, line
// ends, number spellings. Private to policy/.

namespace icelock::policy {

/// Names of the objects from the outermost one down: {"policies", "Preferences"}.
using ObjectPath = std::vector<std::string_view>;

/// Strict UTF-8 JSON (RFC 8259) whose outermost value is an object, without a byte order mark, as
/// Firefox wants it. Error: bad_policy_file.
Result<void> check_object_text(std::string_view text);

/// The text of a member's value; nullopt when it or an object on the way is not there. Errors here
/// and below: bad_policy_file when the text is no object text, a value on the path is not an
/// object, or an object on the path names a key twice (which one counts would be a guess).
Result<std::optional<std::string>> member_text(std::string_view text, const ObjectPath& path,
                                               std::string_view key);

/// The text with the member set to `value` (JSON text). Objects on the path are made when missing;
/// a new member goes last, in the style of its neighbours.
Result<std::string> with_member(std::string_view text, const ObjectPath& path, std::string_view key,
                                std::string_view value);

/// The text without the member and the comma that it needed; unchanged when it is not there.
Result<std::string> without_member(std::string_view text, const ObjectPath& path,
                                   std::string_view key);

/// True when the object at `path` is there and has no members.
Result<bool> is_empty_object(std::string_view text, const ObjectPath& path);

}  // namespace icelock::policy
