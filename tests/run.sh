#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs them all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=installer/common.sh
. installer/common.sh

with_sanitizers=yes
ctest_options=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help)
      cat <<'HELP'
Usage: tests/run.sh [--quick] [ctest options]

Installs what the tests need (apt, npm ci), builds the dev preset, and runs every test: unit,
process, style, extension, and the leak lab with real tunnels and browsers in network namespaces
(as root; a user with sudo is asked for it). Before that the unit and process tests under
AddressSanitizer + UBSan and under ThreadSanitizer.

  --quick   leave out the sanitizer runs
Anything else goes to ctest, for example: tests/run.sh --quick -R guard
Set ICELOCK_REQUIRE=1 to turn every skipped test into a failure.
HELP
      exit 0
      ;;
    --quick) with_sanitizers=no ;;
    *) ctest_options+=("$1") ;;
  esac
  shift
done

say 'Checking this system'
require_supported_system

say 'Installing what the tests need'
install_packages "${build_packages[@]}" "${test_packages[@]}" "${check_packages[@]}"
install_node
(cd tests/extension && npm ci --silent --no-audit --no-fund)

say 'Building (dev)'
cmake --preset dev >/dev/null
cmake --build --preset dev -- --quiet

# The lab makes network namespaces, and the store tests mount file systems: root's work.
run_ctest() {
  as_root env PATH="$PATH" ICELOCK_REQUIRE="${ICELOCK_REQUIRE:-}" ctest "$@"
}
result=0

if [ "$with_sanitizers" = yes ]; then
  for preset in asan tsan; do
    say "Building and testing under sanitizers ($preset)"
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset" -- --quiet
    run_ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j2 \
      -R '^(unit|process)\.' || result=1
  done
fi

say 'Running the tests'
run_ctest --test-dir build/dev --output-on-failure --no-tests=error -j2 "${ctest_options[@]}" || result=1
if [ "$(id -u)" -ne 0 ]; then as_root chown -R "$(id -u):$(id -g)" build; fi
exit "$result"
