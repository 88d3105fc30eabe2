// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "guard/decide.h"

namespace icelock::app {

/// The folder in which programs of one user leave each other short notes: $XDG_RUNTIME_DIR/icelock,
/// else ~/.cache/icelock/run. Made when missing. Empty when there is none that is a folder of this
/// very user: `su` and `sudo` keep the variable, and root must not follow what another user put
/// there.
std::filesystem::path runtime_folder();

/// What the last guard that kept its notes in `folder` remembered, so that a browser which starts
/// (or a host that is started again) within a hold keeps it. Times are of the monotonic clock,
/// which all processes of one boot share; a hold from before a boot counts as one that starts now.
/// An empty folder holds nothing.
guard::Memory recall(const std::filesystem::path& folder, std::chrono::seconds longest_hold,
                     guard::Clock::time_point now);

/// Leaves `memory` for the next. Failing is harmless: the next guard then starts without it.
void remember(const std::filesystem::path& folder, const guard::Memory& memory);

}  // namespace icelock::app
