// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "net/probe.h"

namespace icelock::net::test {

/// An empty network namespace for the calling thread, from here on. Needs CAP_SYS_ADMIN in the user
/// namespace (see in_namespace.sh). Steps are those of situations.h.
class Namespace {
 public:
  Namespace() {
    if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("no network namespace of our own");
  }

  void run(std::string_view step) {
    const std::size_t space = step.find(' ');
    const std::string verb(step.substr(0, space));
    const std::string name(step.substr(space + 1));
    if (verb == "tun") return hold(name, IFF_TUN);
    if (verb == "tap") return hold(name, IFF_TAP);
    if (verb == "drop") return drop(name);
    const std::string command = "ip " + std::string(step);
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  void run(const std::vector<std::string_view>& steps) {
    for (const auto step : steps) run(step);
    settle();
  }

  /// Waits for the kernel's link watcher, which marks the card as running up to a second after both
  /// its ends are up.
  void settle() {
    auto prober = Prober::open();
    for (int i = 0; i < 1000; ++i) {
      const auto snapshot = prober->snapshot().value();
      const auto card = std::ranges::find(snapshot.links, "enp3s0", &Link::name);
      if (card == snapshot.links.end() || !card->up || card->running) return;
      usleep(10000);
    }
  }

  /// Many ip(8) commands at once: each line is arguments of ip.
  void batch(const std::function<void(std::ostream&)>& write) {
    if (run_batch("", write) != 0) throw std::runtime_error("an ip command of a batch failed");
  }

  /// As batch(), but goes on after a command that the kernel refuses, and says nothing of it.
  /// `options` are those of ip itself.
  void attempt(const std::string& options, const std::function<void(std::ostream&)>& write) {
    run_batch("-force " + options + " 2>/dev/null", write);
  }

 private:
  static int run_batch(const std::string& options,
                       const std::function<void(std::ostream&)>& write) {
    std::string name = "/tmp/icelock-batch-XXXXXX";
    const Fd fd(mkstemp(name.data()));
    {
      std::ofstream out(name);
      write(out);
    }
    const int status = std::system(("ip -batch " + name + " " + options).c_str());
    unlink(name.c_str());
    return status;
  }

  // The device lives as long as somebody holds it open, and has a carrier only then.
  void hold(const std::string& name, int kind) {
    Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    request.ifr_flags = static_cast<short>(kind | IFF_NO_PI);
    if (!fd || ioctl(fd.get(), TUNSETIFF, &request) != 0) {
      throw std::runtime_error("cannot make " + name);
    }
    held_[name] = std::move(fd);
  }

  void drop(const std::string& name) {
    ioctl(held_.at(name).get(), TUNSETPERSIST, 1);
    held_.erase(name);
    // The kernel's link watcher takes the running flag away up to a second later.
    auto prober = Prober::open();
    for (int i = 0; i < 300 && is_running(prober->snapshot().value(), name); ++i) usleep(10000);
  }

  static bool is_running(const Snapshot& snapshot, const std::string& name) {
    return std::ranges::find(snapshot.links, name, &Link::name)->running;
  }

  std::map<std::string, Fd> held_;
};

}  // namespace icelock::net::test
