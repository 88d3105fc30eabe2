#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds icelock from this clone, lets the browsers of this user start it, and proves what they show.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=installer/common.sh
. installer/common.sh

demo=no
case "${1:-}" in
  '') ;;
  --demo) demo=yes ;;
  -h | --help)
    cat <<'HELP'
Usage: installer/quickstart.sh [--demo]

Installs what building needs (apt), builds into build/release, registers the native host for
the browsers found, for the user who runs this, prints `icelock status`, and lets `icelock check`
show what a page learns in each browser that is installed.
Can be run again at any time. Writes no browser policy: that is `icelock apply`.

  --demo   instead of the last three: installs OpenVPN, coturn, Node.js and, where there is no
           browser, Chromium; builds a small network in namespaces (as root; a user with sudo is
           asked for it) and opens the browser in it before a VPN is up, beside the VPN, and with
           icelock. Changes no setting of this machine, and keeps coturn's service from starting.
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

# The first browser of the table that is here, by its id and program.
a_browser() {
  local entry
  for entry in chromium:chromium firefox:firefox-esr firefox:firefox chrome:google-chrome-stable \
    brave:brave-browser-stable edge:microsoft-edge-stable; do
    if command -v "${entry#*:}" >/dev/null; then
      echo "${entry%%:*}"
      return
    fi
  done
}

if [ "$demo" = yes ]; then
  say 'Installing what the demonstration needs'
  keep_services_off "${demo_services[@]}"
  install_packages "${demo_packages[@]}"
  command -v node >/dev/null || install_packages nodejs
  [ -n "$(a_browser)" ] || install_packages chromium
  say 'A page looks for addresses, three times'
  as_root env ICELOCK_LAB_TOOLS='ip nft unshare openssl openvpn turnserver node' tests/lab/enter \
    node tests/lab/demo.mjs "$PWD/build/release/bin" "$(a_browser)"
  exit
fi

say 'Letting the browsers start the host'
"$icelock" setup --user ||
  echo "Install a browser and run this again, or name one: $icelock setup --browser firefox"

say 'icelock status'
"$icelock" status

say 'icelock check'
if [ -n "$(a_browser)" ]; then
  # A leak is a result, and the commands against it are in its words.
  "$icelock" check || [ $? -eq 3 ]
else
  echo 'No browser is installed. In one, installer/quickstart.sh --demo shows what icelock is for.'
fi

say 'Next'
echo "Load the extension from $PWD/extension (chromium --load-extension, or about:debugging in Firefox);"
echo "then connect your VPN and watch the toolbar icon, or run: $PWD/$icelock watch"
