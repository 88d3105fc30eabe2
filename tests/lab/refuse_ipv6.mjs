// SPDX-License-Identifier: Apache-2.0
// OpenVPN client options that leave the server's IPv6 offer aside.
export const refuse_ipv6 = ['ifconfig-ipv6', 'route-ipv6', 'tun-ipv6'].flatMap((o) => ['--pull-filter', 'ignore', o]);
