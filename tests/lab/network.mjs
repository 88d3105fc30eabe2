// SPDX-License-Identifier: Apache-2.0
// The lab's network, as data. Addresses look public because browsers and the kernel treat them so; they exist
// only inside the lab, and no route leads out of it.
//
//   client --- router --- internet --- vpn
//                            |
//                           peer
//
// `client` is the namespace that `enter` made and in which the tests and browsers run; it has no name.
// Scenarios, which say what stands between client and internet, are in scenarios/, one file each.

// `excluded` is a second address of the same servers, for scenarios that route it past the tunnel.
export const stun = {ipv4: '44.3.3.3', ipv6: '2a0e:33::3', excluded: '44.3.3.4', port: 3478};
export const turn = {ipv4: '44.3.3.3', ipv6: '2a0e:33::3', excluded: '44.3.3.4', port: 3490, username: 'lab', credential: 'lab'};
// For scenarios in which the browser, not the machine, hides the address. The proxies send from these addresses.
export const proxies = {address: '44.3.3.5', ipv6: '2a0e:33::5', http: 8888, socks: 1080};

// Web pages from the internet side. http is enough for WebRTC; https is there for what needs a secure context.
export const origins = {
  ipv4: 'http://44.3.3.3:8088',
  ipv6: 'http://[2a0e:33::3]:8088',
  secure_ipv4: 'https://44.3.3.3:8443',
  secure_ipv6: 'https://[2a0e:33::3]:8443',
  frame: 'http://44.3.3.3:8089',  // for a frame that is of another origin than its page
  excluded: 'http://44.3.3.4:8088',
  secure_excluded: 'https://44.3.3.4:8443',
};
// The same page behind a split tunnel's server, reachable only inside.
export const inside_origins = {inside: 'http://10.50.1.1:8088', secure_inside: 'https://10.50.1.1:8443'};
// The same page on the client itself. Tests store microphone and camera permission for `granted` only.
export const pages = {granted: 'http://localhost:8377', plain: 'http://127.0.0.1:8377'};

export const links = [
  {between: ['client', 'enp3s0'], and: ['router', 'lan0']},
  {between: ['router', 'wan0'], and: ['internet', 'isp0']},
  {between: ['vpn', 'eth0'], and: ['internet', 'dc0']},
  {between: ['peer', 'eth0'], and: ['internet', 'dc1']},
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
      dc1: ['44.4.4.254/24', '2a0e:44::254/64'],
      lo: ['44.3.3.3/32', '44.3.3.4/32', '44.3.3.5/32', '2a0e:33::3/128', '2a0e:33::5/128'],
    },
    routes: ['2a0e:77::/32 via 2a0e:11::1', '2a0e:99::/32 via 2a0e:22::2'],
    forward: true,
  },
  vpn: {
    // 44.2.2.3 is the same machine, for a second tunnel whose way the first one carries.
    addresses: {eth0: ['44.2.2.2/24', '44.2.2.3/24', '2a0e:22::2/64'], lo: ['10.50.1.1/32']},
    routes: ['default via 44.2.2.254', 'default via 2a0e:22::254'],
    forward: true,
    nft: `table ip nat {
      chain post {
        type nat hook postrouting priority 100;
        ip saddr 10.0.0.0/8 oifname "eth0" masquerade
      }
    }
    # Sources that are not its clients' go no further, as at any provider. OpenVPN and WireGuard drop them themselves;
    # ocserv and what carries Ethernet do not, and a browser may bind to the card and still be routed into the tunnel.
    table inet sources {
      chain forward {
        type filter hook forward priority 0;
        oifname "eth0" ip saddr != 10.0.0.0/8 drop
        oifname "eth0" ip6 saddr != 2a0e:99::/32 drop
      }
    }`,
  },
  // Who calls are made to.
  peer: {
    addresses: {eth0: ['44.4.4.4/24', '2a0e:44::4/64']},
    routes: ['default via 44.4.4.254', 'default via 2a0e:44::254'],
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
  '10.6.0.2': 'tunv4',
  '10.5.0.2': 'tunv4',
  '192.0.0.1': 'CLAT',
  '44.2.2.2': 'VPNv4',
  '44.1.1.77': 'VPNv4',
  '44.3.3.5': 'PROXY',
  '2a0e:33::5': 'PROXY',
  '44.3.3.3': 'relay',
  '2a0e:33::3': 'relay',
  '2a0e:99:8::1000': 'VPNv6',
  '2a0e:99:9::2': 'VPNv6',
  '2a0e:99:6::2': 'VPNv6',
  '172.17.0.1': 'docker0',
  '172.18.0.1': 'br',
};
