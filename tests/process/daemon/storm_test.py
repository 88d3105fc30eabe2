# SPDX-License-Identifier: Apache-2.0
"""icelockd while the network changes faster than it can look."""

import json
import os
import signal
import subprocess
import unittest

import daemon_process as d


class Storm(unittest.TestCase):
    def batch(self, verb, way):
        """25,000 changes at once; the processor seconds that ip(8) needed."""
        lines = "".join(f"route {verb} 45.{i // 256}.{i % 256}.0/24 {way}\n" for i in range(25_000))
        before = os.times()
        subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - \
            before.children_system

    def processor_seconds(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_storm_of_routes_loosens_nothing_and_ends_right(self):
        laptop = d.Laptop()
        self.addCleanup(laptop.close)
        with d.Daemon({"hold_seconds": 0}) as daemon:
            door = d.Frames()
            door.call("subscribe")
            laptop.connect()
            door.push(lambda s: s["decision"]["chromium"] == "default_route_only")
            door.seen = []
            pid = daemon.process.pid
            before = self.processor_seconds(pid)
            spent = self.batch("add", "via 10.8.0.1") + self.batch("del", "via 10.8.0.1")
            used = self.processor_seconds(pid) - before
            print(f"50,000 changes: ip {spent:.2f} s, icelockd {used:.2f} s of processor time")
            self.assertLess(used, 5 * spent + 1)
            state = d.Frames().call("status")["state"]
            self.assertEqual(state["decision"]["chromium"], "default_route_only")

            # While it does not look, so that the kernel's queue overflows and messages are lost.
            daemon.process.send_signal(signal.SIGSTOP)
            self.batch("add", "via 192.168.77.1")
            daemon.process.send_signal(signal.SIGCONT)
            state = door.push(lambda s: s["decision"]["chromium"] == "force_proxy")
            self.assertIn("excluded_routes", json.dumps(state["reasons"]))
            daemon.process.send_signal(signal.SIGSTOP)
            self.batch("del", "via 192.168.77.1")
            daemon.process.send_signal(signal.SIGCONT)
            door.push(lambda s: s["decision"]["chromium"] == "default_route_only")
            levels = {state["decision"]["chromium"] for state in door.seen}
            self.assertLessEqual(levels, {"default_route_only", "force_proxy"})


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
