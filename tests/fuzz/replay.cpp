// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Runs each file of the folder as it is, cut at each length, and with single bytes changed (always
// the same ones): a cheap stand-in for a fuzzer where there is none. At least one seed must be
// there.

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void run_variants(const std::string& seed) {
  for (std::size_t length = 0; length <= seed.size(); ++length) run(seed.substr(0, length));
  std::mt19937 random(1);
  for (int round = 0; round < 2000 && !seed.empty(); ++round) {
    std::string changed = seed;
    for (int flips = 0; flips < 3; ++flips) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    run_variants({std::istreambuf_iterator<char>(file), {}});
    ++seeds;
  }
  std::printf("%d seeds\n", seeds);
  return seeds == 0 ? 1 : 0;
}
