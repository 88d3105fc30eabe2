// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/run.h"
#include "ipc/message.h"

// Some of icelock's work is done by small programs of its own, so that the libraries that it needs
// are in those alone.

namespace icelock::app {

/// Beside the program that runs now, or where `cmake --install` puts the ones that nobody calls by
/// hand. Error: unavailable when it is in neither place.
Result<std::filesystem::path> own_program(std::string_view name);

/// Runs one and reads the JSON object that it prints. An error that it reports comes back as it is;
/// internal when it says nothing that can be understood. Blocks.
Result<ipc::Json> ask_program(std::string_view name, std::vector<std::string> arguments,
                              std::chrono::milliseconds limit, std::optional<User> as = {});

}  // namespace icelock::app
