#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fetch_peers.sh: unpacks Debian's packages of other extensions below build/lab/peers. They are not installed: a
# package would load them into every browser of the machine.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=${ICELOCK_LAB_OUT:-$here/../../build/lab}/peers
packages=(webext-ublock-origin-chromium webext-ublock-origin-firefox webext-privacy-badger)
mkdir -p "$out"
cd "$out"
for package in "${packages[@]}"; do
  compgen -G "$package"_*.deb >/dev/null || apt-get download -qq "$package"
  dpkg-deb -x "$package"_*.deb .
done
