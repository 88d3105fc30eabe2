// SPDX-License-Identifier: Apache-2.0
// What one look at the network costs (snapshot and classification), on networks made in namespaces.
// Run by snapshot_bench.sh. The counters hold the figures to read, all of single looks: first_us of
// the first in a network, median_us and p95_us of the others, plain_us the median without routes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <optional>

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

/// 100,000 routes to public /24 blocks.
void add_routes(test::Namespace& space, const std::string& way) {
  space.batch([&](std::ostream& out) {
    for (int i = 0; i < 100000; ++i) {
      out << "route add " << 40 + i / 65536 << '.' << i / 256 % 256 << '.' << i % 256 << ".0/24 "
          << way << '\n';
    }
  });
}

using Microseconds = std::vector<double>;

/// A network in a namespace of its own, and a prober that stays in it. The devices of `space` live
/// as long as this.
struct Place {
  test::Namespace space;
  std::optional<Prober> prober;
  Microseconds looks;
  std::string label;

  explicit Place(const Steps& steps, const std::string& routes_by = {}) {
    space.run(steps);
    if (!routes_by.empty()) add_routes(space, routes_by);
    prober = Prober::open().value();
    look();
  }

  void look() {
    const auto before = std::chrono::steady_clock::now();
    const auto snapshot = prober->snapshot();
    const Network network = classify(snapshot.value());
    const std::chrono::duration<double, std::micro> took =
        std::chrono::steady_clock::now() - before;
    looks.push_back(took.count());
    label = std::string(name(network.ipv4.verdict)) + " " +
            std::to_string(network.ipv4.excluded.size()) + " excluded";
  }

  /// Of all but the first look, which has nothing to go by.
  double quantile(std::size_t percent) const {
    Microseconds sorted(looks.begin() + 1, looks.end());
    std::ranges::sort(sorted);
    return sorted[sorted.size() * percent / 100];
  }
};

void report(benchmark::State& state, const Place& place) {
  state.counters["first_us"] = place.looks.front();
  state.counters["median_us"] = place.quantile(50);
  state.counters["p95_us"] = place.quantile(95);
  state.SetLabel(place.label);
}

/// The same network without and with the routes, looked at in turns, so that both feel the same
/// weather.
void compare(const std::string& name, const Steps& steps, const std::string& routes_by) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 Place plain(steps);
                                 Place with_routes(steps, routes_by);
                                 for (auto _ : state) {
                                   plain.look();
                                   with_routes.look();
                                 }
                                 report(state, with_routes);
                                 state.counters["plain_us"] = plain.quantile(50);
                               })
      ->Iterations(1000)
      ->Unit(benchmark::kMicrosecond);
}

void measure_thousand_links() {
  benchmark::RegisterBenchmark("thousand_links",
                               [](benchmark::State& state) {
                                 Place place(test::laptop);
                                 place.space.batch([](std::ostream& out) {
                                   for (int i = 0; i < 500; ++i) {
                                     out << "link add port" << i << " type veth peer name end" << i
                                         << '\n';
                                   }
                                 });
                                 place.look();
                                 place.looks.clear();
                                 place.look();
                                 for (auto _ : state) place.look();
                                 report(state, place);
                               })
      ->Iterations(100)
      ->Unit(benchmark::kMicrosecond);
}

void register_all() {
  const Steps plain = test::join({test::laptop, bridge, split});
  const Steps full = test::join({test::laptop, bridge, test::openvpn_def1});
  compare("laptop_routes_on_gateway", plain, "via 192.168.77.1");
  compare("laptop_routes_on_tunnel", plain, "via 10.8.0.1");
  compare("two_cards_routes_on_second", test::join({plain, second_card}), "via 192.168.88.1");
  compare("full_tunnel_routes_on_gateway", full, "via 192.168.77.1");
  compare("full_tunnel_routes_on_tunnel", full, "via 10.8.0.1");
  compare("full_tunnel_routes_on_second_card", test::join({full, second_card}), "via 192.168.88.1");
  measure_thousand_links();
}

}  // namespace
}  // namespace icelock::net

int main(int argc, char** argv) {
  icelock::net::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
