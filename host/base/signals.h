// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

#include "base/fd.h"

namespace icelock {

/// Blocks these signals in this process from now on, and gives them as something to poll (signalfd;
/// reading never waits), so that a program ends between two steps and not inside one. To be called
/// before there are threads. None: there is no descriptor to spare.
Fd blocked_signals(std::initializer_list<int> signals);

}  // namespace icelock
