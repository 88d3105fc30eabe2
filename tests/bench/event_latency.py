# SPDX-License-Identifier: Apache-2.0
"""From the kernel's deciding netlink message to the decision on icelock-host's standard output.

Run as root: makes a network namespace of its own (this process moves into it), brings a TUN link with two
half-default routes up and down, and compares the time of the last netlink message before each pushed
decision with the time at which the push could be read. Prints JSON.
"""

import fcntl
import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "process", "host"))
from host_process import Host  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # link, IPv4 address and route, IPv6 address and route


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0001 | 0x1000))
    return tun


def make_network():
    libc_unshare(0x40000000)  # CLONE_NEWNET; os.unshare is newer than Debian 12's Python
    for words in (["link", "set", "lo", "up"],
                  ["link", "add", "enp3s0", "type", "veth", "peer", "name", "far"],
                  ["link", "set", "enp3s0", "up"], ["link", "set", "far", "up"],
                  ["addr", "add", "192.168.77.10/24", "dev", "enp3s0"],
                  ["route", "add", "default", "via", "192.168.77.1"]):
        ip(*words)
    tun = open_tun("tun0")
    ip("addr", "add", "10.8.0.2/24", "dev", "tun0")
    ip("link", "set", "tun0", "up")
    return tun


def libc_unshare(flags):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare: run as root")


def until(host, monitor, loose):
    """Reads until a push that is (or is not) unrestricted; returns milliseconds since the last kernel message.

    The first tight decision counts, whichever level it is: with half of the routes there it is force_proxy.
    """
    last_event = None
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        readable = select.select([monitor, host.process.stdout], [], [], 1)[0]
        if monitor in readable:
            last_event = time.monotonic()
            monitor.recv(65536)
        if host.process.stdout in readable:
            now = time.monotonic()
            push = host.read()
            level = push.get("state", {}).get("decision", {}).get("chromium")
            if level and (level == "unrestricted") == loose:
                return (now - last_event) * 1000 if last_event else None
    raise TimeoutError("no decision")


def main():
    tun = make_network()
    monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    monitor.bind((0, GROUPS))
    times = []
    with Host(settings={"hold_seconds": 0}) as host:
        host.ask("subscribe")
        batch = "route {0} 0.0.0.0/1 dev tun0\nroute {0} 128.0.0.0/1 dev tun0\n"
        for _ in range(ROUNDS):
            subprocess.run(["ip", "-batch", "-"], input=batch.format("add"), text=True, check=True)
            times.append(until(host, monitor, loose=False))
            subprocess.run(["ip", "-batch", "-"], input=batch.format("del"), text=True, check=True)
            until(host, monitor, loose=True)
    os.close(tun)
    times = [value for value in times if value is not None]
    print(json.dumps({"what": "last netlink event to decision on stdout, ms", "n": len(times),
                      "median": round(statistics.median(times), 3), "max": round(max(times), 3)}))


if __name__ == "__main__":
    main()
