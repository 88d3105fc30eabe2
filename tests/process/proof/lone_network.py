# SPDX-License-Identifier: Apache-2.0
"""A network that a user without any right built: a card, and a tunnel that this process holds open. main() runs a test
inside; it exits 77 where that cannot be."""

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.join(os.environ["ICELOCK_BIN"], "icelock")
INSIDE = "ICELOCK_LONE_NETWORK"
CARD4, CARD6, TUNNEL4 = "192.168.77.10", "2a0e:77:0:1::10", "10.8.0.2"


def skip(why):
    print("skipped:", why)
    sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") else 77)


def enter_namespaces():
    """Runs this script again, as root of a network of its own and of nothing else."""
    for program in ("unshare", "ip", "nft"):
        if not shutil.which(program):
            skip(program + " is not installed")
    command = ["unshare", "-Urn"]
    if subprocess.run([*command, "sh", "-c", "test -w /dev/net/tun"], stderr=subprocess.DEVNULL).returncode:
        skip("no user namespaces, or no /dev/net/tun")
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


def ip(text):
    subprocess.run(["ip", *text.split()], check=True)


def open_tunnel(name):
    """A tun link that runs, as long as the descriptor is open."""
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    set_interface, tun_without_header = 0x400454CA, 0x1001
    fcntl.ioctl(tunnel, set_interface, struct.pack("16sH22x", name.encode(), tun_without_header))
    return tunnel


def wait_until_up(link):
    """IFF_RUNNING comes a moment later, on a busy machine a long one; ip says NO-CARRIER until then."""
    end = time.monotonic() + 60
    while "NO-CARRIER" in subprocess.run(["ip", "link", "show", link], capture_output=True, text=True,
                                           check=True).stdout:
        if time.monotonic() > end:
            raise AssertionError(link + " does not come up")
        time.sleep(0.02)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        for command in ("link set lo up", "link add card0 type veth peer name far0", "link set card0 up",
                        "link set far0 up", f"address add {CARD4}/24 dev card0",
                        f"address add {CARD6}/64 dev card0 nodad", "route add default via 192.168.77.1",
                        "-6 route add default via 2a0e:77:0:1::1"):
            ip(command)
        wait_until_up("card0")
        self.tunnel = None

    def tearDown(self):
        if self.tunnel is not None:
            os.close(self.tunnel)
        ip("link del card0")
        self.folder.cleanup()

    def raise_tunnel(self):
        self.tunnel = open_tunnel("tun0")
        for command in (f"address add {TUNNEL4}/24 dev tun0", "link set tun0 up",
                        "route add 0.0.0.0/1 via 10.8.0.1", "route add 128.0.0.0/1 via 10.8.0.1"):
            ip(command)
        wait_until_up("tun0")

    def environment(self):
        """Without the settings of whoever runs the tests."""
        return os.environ | {"HOME": self.folder.name, "XDG_CONFIG_HOME": self.folder.name}


def main():
    if not os.environ.get(INSIDE):
        enter_namespaces()
    unittest.main(verbosity=2)
