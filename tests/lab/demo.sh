#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh FOLDER: the demonstration of quickstart.sh says what is true: the provider's IPv6 address shows beside the VPN,
# and not with icelock.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
status=0
output=$("$here/enter" node "$here/demo.mjs" "$1" chromium) || status=$?
echo "$output"
if [ "$status" -ne 0 ]; then exit "$status"; fi
expect() {
  if ! grep -qE "$1" <<<"$output"; then
    echo "no line like: $1"
    exit 1
  fi
}
expect '^before the VPN +44\.1\.1\.1 +2a0e:77:0:1::10 +192\.168\.77\.10 +- +nothing to hide$'
expect '^VPN, without icelock +- +2a0e:77:0:1::10 +192\.168\.77\.10 +10\.8\.0\.2, 44\.2\.2\.2 +LEAK$'
expect '^VPN, with icelock +- +- +- +- +no leak$'
