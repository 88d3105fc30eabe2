// SPDX-License-Identifier: Apache-2.0
// A second card to the same router, as with Wi-Fi beside a cable.
export const second_uplink = {
  machine: [
    ['client', 'ip link add wlp4s0 type veth peer name lan1 netns router'],
    ['router', 'ip address add 192.168.78.1/24 dev lan1'],
    ['router', 'ip link set lan1 up'],
    ['client', 'ip address add 192.168.78.10/24 dev wlp4s0'],
    ['client', 'ip link set wlp4s0 up'],
    ['client', 'ip route add default via 192.168.78.1 dev wlp4s0 proto dhcp metric 600'],
  ],
  names: {'192.168.78.10': 'LAN2v4'},
};
