// SPDX-License-Identifier: Apache-2.0
// The lab's network, as data. Addresses look public because browsers and the kernel treat them so; they exist
// only inside the lab, and no route leads out of it.
//
//   client --- router --- internet --- vpn
//
// `client` is the namespace that `enter` made and in which the tests and browsers run; it has no name.

export const stun = {ipv4: '44.3.3.3', ipv6: '2a0e:33::3', port: 3478};

// Web pages from the internet side. http is enough for WebRTC; https is there for what needs a secure context.
export const origins = {
  ipv4: 'http://44.3.3.3:8088',
  ipv6: 'http://[2a0e:33::3]:8088',
  secure_ipv4: 'https://44.3.3.3:8443',
  secure_ipv6: 'https://[2a0e:33::3]:8443',
};
// The same page on the client itself. Tests store microphone and camera permission for `granted` only.
export const pages = {granted: 'http://localhost:8377', plain: 'http://127.0.0.1:8377'};

export const links = [
  {between: ['client', 'enp3s0'], and: ['router', 'lan0']},
  {between: ['router', 'wan0'], and: ['internet', 'isp0']},
  {between: ['vpn', 'eth0'], and: ['internet', 'dc0']},
];

export const hosts = {
  client: {
    addresses: {enp3s0: ['192.168.77.10/24']},
    routes: ['default via 192.168.77.1 proto dhcp metric 100'],
    ipv6: {
      addresses: {enp3s0: ['2a0e:77:0:1::10/64']},
      routes: ['default via 2a0e:77:0:1::1 proto ra metric 100'],
    },
  },
  router: {
    addresses: {lan0: ['192.168.77.1/24', '2a0e:77:0:1::1/64'], wan0: ['44.1.1.1/24', '2a0e:11::1/64']},
    routes: ['default via 44.1.1.254', 'default via 2a0e:11::254'],
    forward: true,
    nft: `table ip nat {
      chain post {
        type nat hook postrouting priority 100;
        oifname "wan0" masquerade
      }
    }`,
  },
  internet: {
    addresses: {
      isp0: ['44.1.1.254/24', '2a0e:11::254/64'],
      dc0: ['44.2.2.254/24', '2a0e:22::254/64'],
      lo: ['44.3.3.3/32', '44.3.3.4/32', '2a0e:33::3/128'],
    },
    routes: ['2a0e:77::/32 via 2a0e:11::1', '2a0e:99::/32 via 2a0e:22::2'],
    forward: true,
    // The wire watch: WebRTC datagrams by who sent them. The tunnel's own packets to its server are no leak.
    nft: `table inet wire {
      counter isp_v4 { }
      counter isp_v6 { }
      counter vpn_v4 { }
      counter vpn_v6 { }
      counter turn_isp { }
      chain watch {
        type filter hook prerouting priority -300;
        ip daddr 44.2.2.2 return
        ip saddr 44.2.2.2 ip daddr 44.1.1.1 return
        meta l4proto udp ip saddr { 44.1.1.1, 192.168.77.10 } counter name isp_v4
        meta l4proto udp ip6 saddr 2a0e:77::/32 counter name isp_v6
        meta l4proto udp ip saddr 44.2.2.2 counter name vpn_v4
        meta l4proto udp ip6 saddr 2a0e:99::/32 counter name vpn_v6
        tcp dport { 3478, 3490 } tcp flags syn ip saddr { 44.1.1.1, 192.168.77.10 } counter name turn_isp
        tcp dport { 3478, 3490 } tcp flags syn ip6 saddr 2a0e:77::/32 counter name turn_isp
      }
    }`,
  },
  vpn: {
    addresses: {eth0: ['44.2.2.2/24', '2a0e:22::2/64']},
    routes: ['default via 44.2.2.254', 'default via 2a0e:22::254'],
    forward: true,
    nft: `table ip nat {
      chain post {
        type nat hook postrouting priority 100;
        ip saddr 10.0.0.0/8 oifname "eth0" masquerade
      }
    }`,
  },
};

// What tests and reports call an address.
export const names = {
  '192.168.77.10': 'LANv4',
  '44.1.1.1': 'REALv4',
  '2a0e:77:0:1::10': 'REALv6',
  '10.8.0.2': 'tunv4',
  '10.9.0.2': 'tunv4',
  '10.7.0.2': 'tunv4',
  '44.2.2.2': 'VPNv4',
  '44.1.1.77': 'VPNv4',
  '2a0e:99:8::1000': 'VPNv6',
  '2a0e:99:9::2': 'VPNv6',
  '172.17.0.1': 'docker0',
  '172.18.0.1': 'br',
};

const refuse_ipv6 = ['ifconfig-ipv6', 'route-ipv6', 'tun-ipv6'].flatMap((o) => ['--pull-filter', 'ignore', o]);

// seen: what a STUN server sees of a plain datagram from the client, per family; null: no answer.
export const scenarios = {
  novpn4: {seen: {ipv4: 'REALv4', ipv6: null}},
  novpn46: {ipv6: true, seen: {ipv4: 'REALv4', ipv6: 'REALv6'}},
  ovpn_full_v4: {
    openvpn: ['--redirect-gateway', 'def1', ...refuse_ipv6],
    seen: {ipv4: 'VPNv4', ipv6: null},
  },
  ovpn_full_v6: {
    ipv6: true,
    openvpn: ['--redirect-gateway', 'def1', ...refuse_ipv6],
    seen: {ipv4: 'VPNv4', ipv6: 'REALv6'},
  },
  ovpn_full6: {
    ipv6: true,
    openvpn: ['--redirect-gateway', 'def1', 'ipv6'],
    seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  },
  ovpn_split: {
    ipv6: true,
    openvpn: ['--route', '10.50.0.0', '255.255.0.0', ...refuse_ipv6],
    seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
  },
  wg_full_v6: {
    ipv6: true,
    wireguard: {addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']},
    seen: {ipv4: 'VPNv4', ipv6: 'REALv6'},
  },
  wg_full6: {
    ipv6: true,
    wireguard: {addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'], allowed: ['0.0.0.0/0', '::/0']},
    seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  },
  // The footprint that strongSwan leaves on a client, without encryption: a virtual IP on the card, table 220
  // and a policy. The router plays the gateway.
  ipsec_sim: {
    up: [
      ['client', 'ip address add 10.7.0.2/32 dev enp3s0'],
      ['client', 'ip rule add priority 220 from all lookup 220'],
      ['client', 'ip route add default via 192.168.77.1 src 10.7.0.2 proto static table 220'],
      ['client', 'ip xfrm policy add src 10.7.0.2/32 dst 203.0.113.0/24 dir out ' +
        'tmpl src 192.168.77.10 dst 44.1.1.77 proto esp mode tunnel'],
      ['router', 'ip address add 44.1.1.77/24 dev wan0'],
      ['router', 'ip route add 10.7.0.2/32 dev lan0'],
      ['router', 'nft insert rule ip nat post ip saddr 10.7.0.2 oifname wan0 snat to 44.1.1.77'],
    ],
    down: [
      ['client', 'ip rule del priority 220'],
      ['client', 'ip route flush table 220'],
      ['client', 'ip xfrm policy flush'],
      ['client', 'ip address del 10.7.0.2/32 dev enp3s0'],
    ],
    seen: {ipv4: 'VPNv4', ipv6: null},
  },
  // Bridges as container engines leave them; no tunnel.
  docker: {
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
    down: [
      ['client', 'ip link del docker0'],
      ['client', 'ip link del veth-a'],
      ['client', 'ip link del br-abc'],
    ],
    seen: {ipv4: 'REALv4', ipv6: null},
  },
};
