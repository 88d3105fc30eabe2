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

Installs what the tests need (apt, npm ci), builds, and runs every test: unit and process tests under
AddressSanitizer + UBSan and, where there are threads, ThreadSanitizer; then, as the dev preset builds
them, process, style, extension and package tests, and the leak lab with real tunnels and browsers in
network namespaces (as root; a user with sudo is asked for it).

  --quick   leave out the sanitizers: all tests as the dev preset builds them
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

# Each stage with the time that the one before it took.
stage='' began=0
stage() {
  local now=$SECONDS
  if [ -n "$stage" ]; then printf '%s took %d min %02d s\n' "$stage" $(((now - began) / 60)) $(((now - began) % 60)); fi
  stage=$1 began=$now
  if [ -n "$1" ]; then say "$1"; fi
}

stage 'Checking this system'
require_supported_system

stage 'Installing what the tests need'
keep_services_off "${test_services[@]}"
install_packages "${build_packages[@]}" "${test_packages[@]}" "${check_packages[@]}" "${package_packages[@]}"
install_known_packages "${test_packages_where_known[@]}"
install_node
(cd tests/extension && npm ci --silent --no-audit --no-fund) ||
  die 'npm ci failed in tests/extension; run it there to see why'

# So that a second clone finds what the first one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# The lab makes network namespaces, and the store tests mount file systems: root's work. What went
# wrong is said again at the very end, where it is looked for.
troubles=()
run_ctest() {
  local stage=$1 log=build/ctest.$1.log
  shift
  # Some of the programs they need are where a user's own search path does not lead.
  as_root env PATH="$PATH:/usr/sbin:/sbin" ICELOCK_REQUIRE="${ICELOCK_REQUIRE:-}" \
    ICELOCK_MACHINES="${ICELOCK_MACHINES:-60}" ICELOCK_PACKETS="${ICELOCK_PACKETS:-200000}" \
    ctest --output-on-failure --no-tests=error -j2 "$@" | tee "$log" ||
    troubles+=("$stage: $(grep -E '\(Failed\)|\(Timeout\)|\(SEGFAULT\)|\(Subprocess' "$log" |
      tr -s ' ' | paste -sd ';' || true)")
  if [ -n "${ICELOCK_REQUIRE:-}" ] && grep -qF '***Skipped' "$log"; then
    troubles+=("$stage: skipped, and ICELOCK_REQUIRE allows no skip: $(grep -F '***Skipped' "$log" |
      tr -s ' .' | paste -sd ';')")
  fi
}

# Threads are only where these are; the store's fault tests under strace are slow and need no sanitizer, and the flood of
# the service bounds its memory. Fewer of the generated machines and packets under one: each takes six times as long there.
declare -A sanitized=(
  [asan]='-R ^(unit|process)\. -E ^process\.(store\.(kill|errors)|export\.(ansible|wine|browsers)|daemon_flood)$'
  [tsan]='-R ^(unit\.(base|ice|guard|ipc|service)|process\.(host|ice|daemon)) -E ^process\.daemon_flood$'
)
declare -A targets=(
  [asan]=all
  [tsan]='icelock icelock-host icelockd base_test ice_test ice_gather_test guard_test ipc_test ipc_server_test service_test
    icelock-gather'
)
if [ "$with_sanitizers" = yes ]; then
  for preset in asan tsan; do
    stage "Building under sanitizers ($preset)"
    cmake --preset "$preset" >/dev/null
    # shellcheck disable=SC2086  # words to be split, here and below
    cmake --build --preset "$preset" --target ${targets[$preset]} -- --quiet
    stage "Testing under sanitizers ($preset)"
    # shellcheck disable=SC2086
    ICELOCK_MACHINES=12 ICELOCK_PACKETS=20000 run_ctest "$preset" --test-dir "build/$preset" ${sanitized[$preset]}
  done
fi

# What has run whole under a sanitizer by now is not built and run once more.
dev_targets=(all)
if [ "$with_sanitizers" = yes ] && [ "${#ctest_options[@]}" -eq 0 ]; then
  dev_targets=(icelock icelock-host icelockd installed_files store_tool)
  under_asan='host|net|ice|daemon$|daemon_[^f]|predict|check|store\.(read|disk|not)|policy\.[^m]|export\.formats'
  ctest_options=(-E "^unit\.|^process\.($under_asan)|_NOT_BUILT\$")
fi
stage 'Building (dev)'
cmake --preset dev >/dev/null
cmake --build --preset dev --target "${dev_targets[@]}" -- --quiet
stage 'Testing (dev)'
run_ctest dev --test-dir build/dev "${ctest_options[@]}"
stage ''
printf 'Everything took %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
if [ "$(id -u)" -ne 0 ]; then as_root chown -R "$(id -u):$(id -g)" build; fi
if [ "${#troubles[@]}" -gt 0 ]; then
  printf '\nFAILED in %s\n' "${troubles[@]}"
  exit 1
fi
