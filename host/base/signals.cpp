// SPDX-License-Identifier: Apache-2.0
#include "base/signals.h"

#include <sys/signalfd.h>

#include <csignal>

namespace icelock {

Fd blocked_signals(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace icelock
