#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gatherer learns and sends, through a NAT router, in network namespaces of its own.

usage: gather_netns.py ICELOCK_GATHER

    client --- wan0 --- router --- internet (STUN: 198.51.100.1 and 2001:db8:1::1)
           \\-- wan1 --/

The router gives what comes in by wan0 the address 198.51.100.2 and by wan1 198.51.100.3; IPv6 is routed
as it is. Everything lives in a pid namespace, so nothing outlives the test. Exit 77: cannot run here.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

INSIDE = "ICELOCK_GATHER_NETNS"
STUN4, STUN6, PORT, SILENT_PORT, CLOSED_PORT = "198.51.100.1", "2001:db8:1::1", 3478, 3480, 3490
CARD0, CARD1, CARD6 = "192.168.7.5", "192.168.8.5", "2001:db8:7::5"
SLACK = 100  # milliseconds that a return may be late


def skip(why):
    print("skipped:", why)
    sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") else 77)


def enter_namespaces():
    """Runs this script again as root of new namespaces."""
    for program in ("unshare", "nsenter", "ip", "nft", "turnserver"):
        if not shutil.which(program):
            skip(program + " is not installed")
    for flags in (["-Ur"], []):
        command = ["unshare", *flags, "-npf", "--mount-proc", "--kill-child"]
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp(command[0], [*command, sys.executable, *sys.argv])
    skip("neither root nor user namespaces")


class Namespace:
    """A network namespace, held open by a process that sleeps."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        mine = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == mine:
            time.sleep(0.01)
        self.run("sysctl -qw net.ipv6.conf.default.accept_dad=0")
        self.run("ip link set lo up")

    def argv(self, command):
        words = command.split() if isinstance(command, str) else command
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def run(self, command, **options):
        return subprocess.run(self.argv(command), check=True, text=True, **options)

    def start(self, command, **options):
        return subprocess.Popen(self.argv(command), text=True, **options)

    def nft(self, rules):
        self.run(["nft", "-f", "-"], input=rules)

    def card(self, name, *addresses):
        for address in addresses:
            self.run(f"ip addr add {address} dev {name}" + (" nodad" if ":" in address else ""))
        self.run(f"ip link set {name} up")


def cable(left, left_name, right, right_name):
    left.run(f"ip link add {left_name} type veth peer name {right_name} netns {right.holder.pid}")


class Network:
    def __init__(self):
        self.client, self.router, self.internet = (
            Namespace(name) for name in ("client", "router", "internet"))
        cable(self.client, "wan0", self.router, "lan0")
        cable(self.client, "wan1", self.router, "lan1")
        cable(self.router, "up0", self.internet, "net0")
        self.internet.card("net0", f"{STUN4}/24", f"{STUN6}/64")
        self.internet.run("ip -6 route add 2001:db8:7::/64 via 2001:db8:1::2")
        self.internet.nft(f"table inet silent {{ chain in {{ type filter hook input priority 0;\n"
                          f"udp dport {SILENT_PORT} drop\n}}\n}}")
        self.router.card("up0", "198.51.100.2/24", "198.51.100.3/24", "2001:db8:1::2/64")
        self.router.card("lan0", "192.168.7.1/24", "2001:db8:7::1/64")
        self.router.card("lan1", "192.168.8.1/24")
        self.router.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self.router.nft("table ip nat { chain out { type nat hook postrouting priority 100;\n"
                        "ip saddr 192.168.7.0/24 snat to 198.51.100.2\n"
                        "ip saddr 192.168.8.0/24 snat to 198.51.100.3\n}\n}")
        self.client.card("wan0", f"{CARD0}/24", f"{CARD6}/64")
        self.client.card("wan1", f"{CARD1}/24")
        self.client.run("ip route add default via 192.168.7.1")
        self.client.run("ip route add default via 192.168.8.1 metric 200")
        self.client.run("ip -6 route add default via 2001:db8:7::1")
        self.client.nft("table inet count { counter sent { }\nchain out {\n"
                        "type filter hook output priority 0;\n"
                        "meta l4proto ipv6-icmp accept\ncounter name sent\n}\n}")
        self.stun = self.internet.start(
            f"turnserver -n -S -L {STUN4} -L {STUN6} -p {PORT} --no-tls --no-dtls --no-cli"
            " --log-file=stdout --pidfile=/dev/null",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_stun()

    def wait_for_stun(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            listening = self.internet.run("ss -Hlun", capture_output=True).stdout
            if f"{STUN4}:{PORT}" in listening and f"[{STUN6}]:{PORT}" in listening:
                return
            time.sleep(0.05)
        sys.exit("turnserver does not listen")

    def sent(self):
        text = self.client.run("nft list counter inet count sent", capture_output=True).stdout
        return int(re.search(r"packets (\d+)", text).group(1))


def srflx(agent):
    return [c["address"] for c in agent["candidates"] if c["type"] == "srflx"]


def host(agent):
    return [c["address"] for c in agent["candidates"] if c["type"] == "host"]


def command(locals_, stun4="", stun6="", port=PORT, deadline=1000):
    servers = [f"{stun4}:{port}"] * bool(stun4) + [f"[{stun6}]:{port}"] * bool(stun6)
    # A user namespace without any user: the program gathers for nobody who looks like root.
    return ["unshare", "-U", TOOL, str(deadline), *servers, "--", *locals_]


def by_address(report):
    return {agent["local"]: agent for agent in report["agents"]}


class Case(unittest.TestCase):
    def gather(self, locals_, stun4="", stun6="", port=PORT, deadline=1000):
        report = json.loads(network.client.run(command(locals_, stun4, stun6, port, deadline),
                                               capture_output=True).stdout)
        print(f"{self.id()}: {report['milliseconds']:.0f} ms")
        self.assertLess(report["milliseconds"], deadline + SLACK)
        return by_address(report), report["milliseconds"]


class GatherTest(Case):
    def test_address_seen_through_nat_on_card_and_wildcard(self):
        agents, took = self.gather([CARD0], stun4=STUN4)
        self.assertEqual(srflx(agents[CARD0]), ["198.51.100.2"])
        self.assertEqual(host(agents[CARD0]), [CARD0])
        self.assertEqual(srflx(agents["0.0.0.0"]), ["198.51.100.2"])
        self.assertEqual(host(agents["0.0.0.0"]), [])
        self.assertTrue(all(agent["finished"] for agent in agents.values()))
        self.assertLess(took, 240, "answers end it before the retransmissions do")

    def test_each_card_shows_its_own_way_out(self):
        agents, _ = self.gather([CARD0, CARD1], stun4=STUN4)
        self.assertEqual(srflx(agents[CARD0]), ["198.51.100.2"])
        self.assertEqual(srflx(agents[CARD1]), ["198.51.100.3"])
        self.assertEqual(srflx(agents["0.0.0.0"]), ["198.51.100.2"])

    def test_ipv6_without_nat_shows_on_the_wildcard_only(self):
        agents, _ = self.gather([CARD0, CARD6], stun6=STUN6)
        self.assertEqual(srflx(agents["::"]), [CARD6])
        self.assertEqual(host(agents[CARD6]), [CARD6])
        self.assertEqual(srflx(agents[CARD6]), [])
        self.assertEqual(srflx(agents["0.0.0.0"]), [])
        self.assertTrue(agents["::"]["finished"])

    def test_both_families_at_once(self):
        agents, _ = self.gather([CARD0, CARD6], stun4=STUN4, stun6=STUN6)
        self.assertEqual(srflx(agents["0.0.0.0"]), ["198.51.100.2"])
        self.assertEqual(srflx(agents["::"]), [CARD6])

    def test_no_server_named_means_no_packet_sent(self):
        before = network.sent()
        agents, _ = self.gather([CARD0, CARD1, CARD6])
        self.assertEqual(network.sent(), before)
        self.assertEqual(host(agents[CARD0]), [CARD0])
        self.assertTrue(agents[CARD0]["finished"])
        self.gather([CARD0], stun4=STUN4)
        self.assertEqual(network.sent(), before + 2, "one request by each IPv4 agent is counted")

    def test_silent_server_is_given_up_by_retransmissions(self):
        agents, took = self.gather([CARD0], stun4=STUN4, port=SILENT_PORT)
        self.assertEqual(agents[CARD0]["candidates"], [{"type": "host", "address": CARD0}])
        self.assertTrue(agents[CARD0]["finished"])
        self.assertLess(took, 500)

    def test_silent_server_does_not_outlast_the_deadline(self):
        agents, took = self.gather([CARD0], stun4=STUN4, port=SILENT_PORT, deadline=100)
        self.assertGreaterEqual(took, 95)
        self.assertEqual(host(agents[CARD0]), [CARD0])
        self.assertFalse(agents[CARD0]["finished"])

    def test_unreachable_servers_are_no_error(self):
        for server, port in ((STUN4, CLOSED_PORT), ("198.51.100.99", PORT), ("203.0.113.1", PORT)):
            agents, took = self.gather([CARD0], stun4=server, port=port)
            self.assertEqual(host(agents[CARD0]), [CARD0])
            self.assertEqual(srflx(agents[CARD0]), [])
            self.assertLess(took, 500)

    def test_ten_dead_addresses_do_not_outlast_the_deadline(self):
        dead = [f"192.168.7.{n}" for n in range(101, 111)]
        for address in dead:
            network.client.run(f"ip addr add {address}/24 dev wan0")
        try:
            gone = [f"10.9.9.{n}" for n in range(1, 11)]
            agents, _ = self.gather(dead + gone, stun4=STUN4, port=SILENT_PORT, deadline=150)
            self.assertEqual([host(agents[a]) for a in dead], [[a] for a in dead])
            self.assertFalse(any(agents[a]["finished"] for a in dead))
            self.assertFalse(any(agents[a]["bound"] for a in gone))
        finally:
            for address in dead:
                network.client.run(f"ip addr del {address}/24 dev wan0")

    def test_address_that_vanished(self):
        network.client.run("ip addr add 192.168.7.77/24 dev wan0")
        gathering = network.client.start(command(["192.168.7.77", CARD0], STUN4, port=SILENT_PORT),
                                         stdout=subprocess.PIPE)
        time.sleep(0.08)
        network.client.run("ip addr del 192.168.7.77/24 dev wan0")
        report = json.loads(gathering.communicate()[0])
        self.assertEqual(gathering.returncode, 0)
        self.assertLess(report["milliseconds"], 1000 + SLACK)
        agents, _ = self.gather(["192.168.7.77", CARD0], stun4=STUN4)
        self.assertFalse(agents["192.168.7.77"]["bound"])
        self.assertEqual(agents["192.168.7.77"]["candidates"], [])
        self.assertEqual(srflx(agents[CARD0]), ["198.51.100.2"])


class RootTest(Case):
    def test_root_is_refused_before_anything_is_sent(self):
        before = network.sent()
        refused = subprocess.run(network.client.argv(command([CARD0], STUN4)[2:]), text=True,
                                 capture_output=True, check=False)
        self.assertEqual(json.loads(refused.stdout)["code"], "not_permitted")
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual(network.sent(), before)


class NoIpv4Test(Case):
    """The same client without IPv4; runs last, for the addresses do not come back."""

    def setUp(self):
        network.client.run("ip -4 addr flush dev wan0")
        network.client.run("ip -4 addr flush dev wan1")

    def test_ipv6_only(self):
        agents, took = self.gather([CARD6], stun4=STUN4, stun6=STUN6)
        self.assertEqual(srflx(agents["::"]), [CARD6])
        self.assertEqual(host(agents[CARD6]), [CARD6])
        self.assertEqual(agents["0.0.0.0"]["candidates"], [])
        self.assertLess(took, 500)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: gather_netns.py ICELOCK_GATHER")
    if not os.environ.get(INSIDE):
        enter_namespaces()
    TOOL = sys.argv[1]
    network = Network()
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    tests = unittest.TestSuite([load(GatherTest), load(RootTest), load(NoIpv4Test)])
    result = unittest.TextTestRunner(stream=sys.stdout).run(tests)
    sys.exit(0 if result.wasSuccessful() else 1)
