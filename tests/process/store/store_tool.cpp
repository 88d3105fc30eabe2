// SPDX-License-Identifier: Apache-2.0
// The store by arguments, for the scripts of this folder:
//   store_tool ROOT apply BROWSER=LEVEL... | revert [BROWSER...] | installed BROWSER...
// Prints the code of a failure and exits 1; "nothing" or "done" otherwise.
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "policy/store.h"

namespace {

using icelock::policy::Store;

int failed(const icelock::Error& error) {
  std::cout << icelock::info(error.code).name << ": " << to_string(error) << "\n";
  return 1;
}

int apply(Store& store, std::span<const std::string> arguments) {
  icelock::policy::Wanted wanted;
  for (const std::string& argument : arguments) {
    const std::size_t sign = argument.find('=');
    const auto level = icelock::parse_level(argument.substr(sign + 1));
    if (sign == argument.npos || !level) return 64;
    wanted[argument.substr(0, sign)] = *level;
  }
  const auto plan = store.plan(wanted);
  if (!plan) return failed(plan.error());
  if (const auto done = store.apply(*plan); !done) return failed(done.error());
  std::cout << (plan->pending() ? "done\n" : "nothing\n");
  return 0;
}

int revert(Store& store, std::span<const std::string> ids) {
  const auto plan = store.plan_revert({ids.begin(), ids.end()});
  if (!plan) return failed(plan.error());
  if (const auto done = store.revert(*plan); !done) return failed(done.error());
  std::cout << (plan->pending() ? "done\n" : "nothing\n");
  return 0;
}

int installed(const Store& store, std::span<const std::string> ids) {
  for (const std::string& id : ids) {
    const auto* browser = icelock::policy::find_browser(id);
    if (browser == nullptr) return 64;
    const auto level = store.installed(*browser);
    if (!level) return failed(level.error());
    std::cout << id << " " << (*level ? name(**level) : "none") << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) return 64;
  Store store(arguments[0]);
  const std::span rest = std::span(arguments).subspan(2);
  if (arguments[1] == "apply") return apply(store, rest);
  if (arguments[1] == "revert") return revert(store, rest);
  if (arguments[1] == "installed") return installed(store, rest);
  return 64;
}
