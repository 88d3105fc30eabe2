// SPDX-License-Identifier: Apache-2.0
// What one look at the network costs (snapshot and classification), on networks made in namespaces.
// Run by snapshot_bench.sh. The counters hold the figures to read: median_us and p95_us of single
// looks.
#include <benchmark/benchmark.h>

#include <chrono>

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

void look(benchmark::State& state) {
  auto prober = Prober::open();
  std::vector<double> microseconds;
  Network network;
  bool too_many = false;
  for (auto _ : state) {
    const auto before = std::chrono::steady_clock::now();
    const auto snapshot = prober->snapshot();
    if (!snapshot) return state.SkipWithError(to_string(snapshot.error()).c_str());
    network = classify(*snapshot);
    benchmark::DoNotOptimize(network);
    const std::chrono::duration<double, std::micro> took =
        std::chrono::steady_clock::now() - before;
    microseconds.push_back(took.count());
    too_many = snapshot->too_many_excluded;
  }
  std::ranges::sort(microseconds);
  state.counters["median_us"] = microseconds[microseconds.size() / 2];
  state.counters["p95_us"] = microseconds[microseconds.size() * 95 / 100];
  state.SetLabel(std::string(name(network.ipv4.verdict)) + (too_many ? " too many" : ""));
}

void measure(const std::string& name, const Steps& steps, const std::string& routes_by = {}) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 test::Namespace space;
                                 space.run(steps);
                                 if (!routes_by.empty()) add_routes(space, routes_by);
                                 look(state);
                               })
      ->Iterations(routes_by.empty() ? 2000 : 300)
      ->Unit(benchmark::kMicrosecond);
}

void measure_thousand_links() {
  benchmark::RegisterBenchmark("thousand_links",
                               [](benchmark::State& state) {
                                 test::Namespace space;
                                 space.run(test::laptop);
                                 space.batch([](std::ostream& out) {
                                   for (int i = 0; i < 500; ++i) {
                                     out << "link add port" << i << " type veth peer name end" << i
                                         << '\n';
                                   }
                                 });
                                 look(state);
                               })
      ->Iterations(100)
      ->Unit(benchmark::kMicrosecond);
}

void register_all() {
  const Steps plain = test::join({test::laptop, bridge, split});
  const Steps full = test::join({test::laptop, bridge, test::openvpn_def1});
  const Steps two_cards = test::join({plain, second_card});
  const Steps full_two_cards = test::join({full, second_card});
  measure("laptop", plain);
  measure("laptop_routes_on_gateway", plain, "via 192.168.77.1");
  measure("laptop_routes_on_tunnel", plain, "via 10.8.0.1");
  measure("two_cards", two_cards);
  measure("two_cards_routes_on_second", two_cards, "via 192.168.88.1");
  measure("full_tunnel", full);
  measure("full_tunnel_routes_on_gateway", full, "via 192.168.77.1");
  measure("full_tunnel_routes_on_tunnel", full, "via 10.8.0.1");
  measure("full_tunnel_two_cards", full_two_cards);
  measure("full_tunnel_two_cards_routes_on_second", full_two_cards, "via 192.168.88.1");
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
