// SPDX-License-Identifier: Apache-2.0
// What one look at the network costs (snapshot and classification), on networks made in namespaces.
// Run by snapshot_bench.sh. The counters hold the figures to read, all of single looks: first_us
// the median of those with nothing to go by, median_us and p95_us of the others, plain_us the
// median of the same network without what was added to it, limit_us what a first look may take.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "namespace.h"
#include "net/probe.h"
#include "situations.h"

namespace icelock::net {
namespace {

using Steps = std::vector<std::string_view>;

const Steps bridge = {"link add br0 type bridge", "addr add 172.17.0.1/16 dev br0",
                      "link set br0 up"};
const Steps split = {"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up",
                     "route add 10.50.0.0/16 via 10.8.0.1"};
const Steps second_card = {"link add enp4s0 type veth peer name far1", "link set far1 up",
                           "addr add 192.168.88.10/24 dev enp4s0", "link set enp4s0 up"};

/// Writes arguments of ip(8), one command a line.
using Batch = std::function<void(std::ostream&)>;

/// 100,000 routes to public /24 blocks.
Batch many_routes(const std::string& way) {
  return [way](std::ostream& out) {
    for (int i = 0; i < 100000; ++i) {
      out << "route add " << 40 + i / 65536 << '.' << i / 256 % 256 << '.' << i % 256 << ".0/24 "
          << way << '\n';
    }
  };
}

/// 5,000 public blocks that no wider block could stand for, as lists of a country's networks have.
void exclude_blocks(std::ostream& out) {
  for (int i = 0; i < 5000; ++i) {
    const int number = 3 * i;  // of a /20
    out << "route add " << 60 + number / 4096 << '.' << number / 16 % 256 << '.' << number % 16 * 16
        << ".0/" << 20 + i % 5 << " via 192.168.77.1\n";
  }
}

/// 500 rules by destination, each block a hole in a tunnel.
void add_rules_to(std::ostream& out) {
  out << "route add default via 192.168.77.1 table 100\n";
  for (int i = 0; i < 500; ++i) {
    out << "rule add to 60." << i / 128 << '.' << i % 128 * 2 << ".0/24 table 100\n";
  }
}

/// 500 rules of all sorts.
void add_rules(std::ostream& out) {
  out << "route add default via 192.168.77.1 table 100\n";
  for (int i = 0; i < 100; ++i) {
    out << "rule add to 60.0." << i << ".0/24 table 100\n"
        << "rule add from 10.9." << i << ".0/24 table 100\n"
        << "rule add fwmark " << 1 + i % 8 << " to 60.1." << i << ".0/24 table 100\n"
        << "rule add iif enp3s0 to 60.2." << i << ".0/24 table 100\n"
        << "rule add ipproto udp dport " << 5000 + i << " to 60.3." << i << ".0/24 table 100\n";
  }
}

using Microseconds = std::vector<double>;

/// A network in a namespace of its own, and a prober that stays in it. The devices of `space` live
/// as long as this.
class Place {
 public:
  explicit Place(const Steps& steps, const Batch& more = {}) {
    space_.run(steps);
    if (more) space_.batch(more);
    for (int i = 0; i < 15; ++i) {
      prober_ = Prober::open().value();
      look(first_looks_);
    }
  }

  void look() { look(looks_); }

  double median() const { return quantile(looks_, 50); }

  void report(benchmark::State& state) const {
    state.counters["first_us"] = quantile(first_looks_, 50);
    state.counters["median_us"] = median();
    state.counters["p95_us"] = quantile(looks_, 95);
    state.SetLabel(label_);
  }

 private:
  void look(Microseconds& looks) {
    const auto before = std::chrono::steady_clock::now();
    const auto snapshot = prober_->snapshot();
    const Network network = classify(snapshot.value());
    const std::chrono::duration<double, std::micro> took =
        std::chrono::steady_clock::now() - before;
    looks.push_back(took.count());
    label_ = std::string(name(network.ipv4.verdict)) + " " +
             std::to_string(network.ipv4.excluded.size()) + " excluded";
  }

  static double quantile(Microseconds looks, std::size_t percent) {
    std::ranges::sort(looks);
    return looks[looks.size() * percent / 100];
  }

  test::Namespace space_;
  std::optional<Prober> prober_;
  Microseconds first_looks_;
  Microseconds looks_;
  std::string label_;
};

/// The same network without and with something more, looked at in turns, so that both feel the same
/// weather.
void compare(const std::string& name, const Steps& steps, const Batch& more, double limit_us,
             int looks = 1000) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 Place plain(steps);
                                 Place with_more(steps, more);
                                 for (auto _ : state) {
                                   plain.look();
                                   with_more.look();
                                 }
                                 with_more.report(state);
                                 state.counters["plain_us"] = plain.median();
                                 state.counters["limit_us"] = limit_us;
                               })
      ->Iterations(looks)
      ->Unit(benchmark::kMicrosecond);
}

void add_links(std::ostream& out) {
  for (int i = 0; i < 500; ++i) {
    out << "link add port" << i << " type veth peer name end" << i << '\n';
  }
}

void register_all() {
  const Steps plain = test::join({test::laptop, bridge, split});
  const Steps full = test::join({test::laptop, bridge, test::openvpn_def1});
  constexpr double ten_ms = 10'000;
  constexpr double sixty_ms = 60'000;
  const auto routes = [](const std::string& name, const Steps& steps, const std::string& way) {
    compare(name, steps, many_routes(way), sixty_ms);
  };
  routes("laptop_routes_on_gateway", plain, "via 192.168.77.1");
  routes("laptop_routes_on_tunnel", plain, "via 10.8.0.1");
  routes("two_cards_routes_on_second", test::join({plain, second_card}), "via 192.168.88.1");
  routes("full_tunnel_routes_on_gateway", full, "via 192.168.77.1");
  routes("full_tunnel_routes_on_tunnel", full, "via 10.8.0.1");
  routes("full_tunnel_routes_on_second_card", test::join({full, second_card}), "via 192.168.88.1");
  compare("laptop", test::laptop, {}, ten_ms);
  compare("full_tunnel_excluded_blocks", full, exclude_blocks, ten_ms);
  compare("wireguard_excluded_blocks", test::join({test::laptop, test::wg_quick}), exclude_blocks,
          ten_ms);
  compare("full_tunnel_rules_to", full, add_rules_to, ten_ms);
  compare("full_tunnel_rules", full, add_rules, ten_ms);
  compare("thousand_links", test::laptop, add_links, ten_ms, 100);
}

}  // namespace
}  // namespace icelock::net

int main(int argc, char** argv) {
  icelock::net::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
