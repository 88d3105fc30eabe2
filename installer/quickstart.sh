#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds icelock from this clone, lets the browsers of this user start it, and shows what it sees.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=installer/common.sh
. installer/common.sh

case "${1:-}" in
  '') ;;
  -h | --help)
    cat <<'HELP'
Usage: installer/quickstart.sh

Installs what building needs (apt), builds into build/release, registers the native host for
the browsers found, for the user who runs this, and prints `icelock status`.
Can be run again at any time. Writes no browser policy: that is `icelock apply`.
HELP
    exit 0
    ;;
  *) die "unknown option '$1'; see --help" ;;
esac

# The browsers to set up are those of the person who asked, and so are the files that are built.
if [ "$(id -u)" -eq 0 ] && [ "${SUDO_USER:-root}" != root ]; then
  echo "going on as $SUDO_USER, who called sudo"
  exec sudo -H -u "$SUDO_USER" -- env -u SUDO_USER "$PWD/installer/quickstart.sh" "$@"
fi

say 'Checking this system'
require_supported_system

say 'Installing what building needs'
install_packages "${build_packages[@]}"

say 'Building'
cmake --preset release >/dev/null
cmake --build --preset release -- --quiet

icelock=build/release/bin/icelock

say 'Letting the browsers start the host'
"$icelock" setup --user ||
  echo "Install a browser and run this again, or name one: $icelock setup --browser firefox"

say 'icelock status'
"$icelock" status

say 'Next'
echo "Load the extension from $PWD/extension (chromium --load-extension, or about:debugging in Firefox);"
echo "then connect your VPN and watch the toolbar icon, or run: $PWD/$icelock watch"
