// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace icelock::app {

/// check_page.html, as it was when icelock was built.
extern const std::string_view check_page_text;

}  // namespace icelock::app
