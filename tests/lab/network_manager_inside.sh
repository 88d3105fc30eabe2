#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside the container of network_manager.sh: a card, a server beyond it, and a profile for the server.
set -eu
cd "$(mktemp -d)"

certificates() {
  local new=(openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  "${new[@]}" -x509 -days 30 -subj /CN=authority -keyout ca.key -out ca.crt 2>/dev/null
  for name in server client; do
    "${new[@]}" -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    openssl x509 -req -days 30 -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$name.crt" 2>/dev/null
  done
}

server() {
  ip netns add server
  ip link add enp3s0 type veth peer name far0 netns server
  ip -n server link set lo up
  ip -n server address add 192.168.77.1/24 dev far0
  ip -n server address add 44.2.2.2/32 dev lo
  ip -n server link set far0 up
  ip netns exec server openvpn --mode server --tls-server --proto udp4 --local 44.2.2.2 --dev tun0 --dev-type tun \
    --topology subnet --server 10.8.0.0 255.255.255.0 --keepalive 10 60 --dh none \
    --ca ca.crt --cert server.crt --key server.key --daemon --log server.log
}

profiles() {
  nmcli connection add type ethernet con-name card ifname enp3s0 ipv4.method manual ipv4.addresses 192.168.77.10/24 \
    ipv4.gateway 192.168.77.1 ipv6.method disabled autoconnect no
  nmcli connection up card
  nmcli connection add type vpn vpn-type openvpn con-name tunnel ipv6.method disabled vpn.data \
    "connection-type = tls, remote = 44.2.2.2, dev-type = tun, ca = $PWD/ca.crt, cert = $PWD/client.crt, key = $PWD/client.key, cert-pass-flags = 4"
}

verdict() { /opt/icelock-test/icelock status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["network"]["ipv4"]["verdict"])'; }

# expect WHEN VERDICT
expect() {
  local got
  for _ in $(seq 50); do
    got=$(verdict)
    if [ "$got" = "$2" ]; then
      echo "ok   $1: $got"
      return
    fi
    sleep 0.1
  done
  echo "FAIL $1: $got, not $2"
  ip route
  ip rule
  exit 1
}

certificates
server
systemctl start NetworkManager.service
profiles
expect "before" direct
for round in 1 2; do
  nmcli connection up tunnel
  ip route
  expect "up, round $round" tunnel
  nmcli connection down tunnel
  expect "down, round $round" direct
done
