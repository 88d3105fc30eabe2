# SPDX-License-Identifier: Apache-2.0
"""The devices of a situation: real tun and tap links, which kinds.so shows as another kind where the line says so."""

import fcntl
import ipaddress
import os
import struct
import time

TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TUN, IFF_TAP, IFF_NO_PI = 1, 2, 0x1000
ETHER, PPP, RAWIP, TUNNEL, TUNNEL6, SIT, IPGRE, NONE = 1, 512, 519, 768, 769, 776, 778, 65534
PARENT = "0000:00:1f.6"

# word of a situation: (ARPHRD type, kind or none, parent device or none)
KINDS = {
    "card": (ETHER, None, PARENT),
    "modem": (RAWIP, None, PARENT),   # qmi_wwan in raw-ip mode
    "wwan": (RAWIP, "wwan", PARENT),
    "bare": (NONE, None, None),       # a modem's driver that names neither kind nor parent (xmm7360)
    "rawip": (RAWIP, None, None),
    "ppp": (PPP, "ppp", None),
    "sit": (SIT, "sit", None),
    "ipip": (TUNNEL, "ipip", None),
    "gre": (IPGRE, "gre", None),
    "vti": (TUNNEL, "vti", None),
    "ip6tnl": (TUNNEL6, "ip6tnl", None),
    "xfrm": (NONE, "xfrm", None),
    "wireguard": (NONE, "wireguard", None),
    "ovpn": (NONE, "ovpn", None),
    "dummy": (ETHER, "dummy", None),
    "vrf": (ETHER, "vrf", None),
    "bond": (ETHER, "bond", None),
    "vlan": (ETHER, "vlan", None),
    "veth": (ETHER, "veth", None),
    "ipvlan": (ETHER, "ipvlan", None),
}

# kind: where IFLA_INFO_DATA has the addresses of the outer packets
ENDS = {"sit": {"local": 2, "remote": 3}, "ipip": {"local": 2, "remote": 3}, "ip6tnl": {"local": 2, "remote": 3},
        "gre": {"local": 6, "remote": 7}, "vti": {"local": 4, "remote": 5}}


def attribute(kind, payload):
    text = struct.pack("=HH", 4 + len(payload), kind) + payload
    return text + b"\0" * (-len(text) % 4)


def info_data(kind, words):
    ends = dict(zip(words[::2], words[1::2]))
    return b"".join(attribute(ENDS[kind][end], ipaddress.ip_address(address).packed) for end, address in ends.items())


class Held:
    """Links that live as long as this object."""

    def __init__(self):
        self.files, self.shown = {}, []

    def run(self, words):
        """["tun"|"tap", NAME], with [KIND, "local", ADDRESS, "remote", ADDRESS] after it; ["drop", NAME]."""
        verb, name = words[:2]
        if verb == "drop":
            self.drop(name)
            return
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        flags = (IFF_TUN if verb == "tun" else IFF_TAP) | IFF_NO_PI
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        self.files[name] = file
        if len(words) > 2:
            self.show(name, words[2], words[3:])

    def show(self, name, word, ends):
        hardware, kind, parent = KINDS[word]
        data = info_data(kind, ends).hex()
        self.shown.append(f"{name} {hardware} {kind or '-'} {parent or '-'} {data or '-'}")

    def drop(self, name):
        """The program goes, its link stays without a carrier. The kernel says so up to a second later."""
        fcntl.ioctl(self.files[name], TUNSETPERSIST, 1)
        os.close(self.files.pop(name))
        time.sleep(1.2)

    def kinds(self):
        return "\n".join(self.shown)
