#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A VPN that NetworkManager brings up and down, in a booted container: it wants a system bus. What icelock says is asked
# on the way.
# usage: network_manager.sh FOLDER_OF_PROGRAMS
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/install/container.sh
. "$here/../install/container.sh"

need NetworkManager nmcli openvpn openssl python3
[ -e /usr/lib/NetworkManager/VPN/nm-openvpn-service.name ] || skip "network-manager-openvpn is not installed"
enter_container_namespace "$0" "$@"
make_root
cp "$1/icelock" "$here/network_manager_inside.sh" "$work/root/opt/icelock-test/"
# Where the tests installed it, its own unit is masked.
rm -f "$work/root/etc/systemd/system/NetworkManager.service"
boot_container
inside /opt/icelock-test/network_manager_inside.sh || {
  inside journalctl --no-pager -u NetworkManager.service | tail -40
  exit 1
}
