// SPDX-License-Identifier: Apache-2.0
// Bridges as container engines leave them: one that never had a port, one with a live one.
export const bridges = {
  up: [
    ['client', 'ip link add docker0 type bridge'],
    ['client', 'ip address add 172.17.0.1/16 dev docker0'],
    ['client', 'ip link set docker0 up'],
    ['client', 'ip link add br-abc type bridge'],
    ['client', 'ip link add veth-a type veth peer name veth-b'],
    ['client', 'ip link set veth-a master br-abc up'],
    ['client', 'ip link set veth-b up'],
    ['client', 'ip address add 172.18.0.1/16 dev br-abc'],
    ['client', 'ip link set br-abc up'],
  ],
  running: ['br-abc'],
  down: [
    ['client', 'ip link del docker0'],
    ['client', 'ip link del veth-a'],
    ['client', 'ip link del br-abc'],
  ],
};
