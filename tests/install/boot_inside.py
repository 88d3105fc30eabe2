# SPDX-License-Identifier: Apache-2.0
"""Runs inside the container of boot.sh, in this order."""

import json
import os
import random
import re
import subprocess
import sys
import time
import unittest

import daemon_process as d

POLICY = "/etc/chromium/policies/managed/zz-icelock.json"
KILLS = int(os.environ.get("ICELOCK_KILLS", "25"))
STRICTNESS = {"no file": 0, None: 0, "default": 0, "default_public_interface_only": 1,
              "disable_non_proxied_udp": 2}
LEVELS = {"unrestricted": 0, "default_route_only": 1, "force_proxy": 2, "disabled": 2}


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def property_of(name):
    return run("systemctl", "show", "-P", name, "icelockd.service")


def status_lines(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}


def settings(**content):
    with open("/etc/icelock/new", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace("/etc/icelock/new", "/etc/icelock/icelock.json")


def handling():
    """What the policy file says; it must be whole whenever it is looked at."""
    try:
        return d.read_json(POLICY).get("WebRtcIPHandling")
    except FileNotFoundError:
        return "no file"


def decision():
    return d.Frames().call("status")["state"]["decision"]["chromium"]


class Booted(unittest.TestCase):
    def test_1_install_starts_the_service_confined(self):
        run("dpkg", "-i", "/opt/icelock-test/icelock.deb")
        self.assertEqual(property_of("ActiveState"), "active", run("systemctl", "status",
                         "icelockd.service", check=False))
        lines = status_lines(property_of("MainPID"))
        self.assertEqual(int(lines["CapEff"], 16), 0)
        self.assertEqual(int(lines["CapBnd"], 16), 0)
        self.assertEqual(lines["NoNewPrivs"], "1")
        self.assertEqual(lines["Seccomp"], "2")
        self.assertEqual(os.stat("/run/icelock/host.sock").st_mode & 0o777, 0o666)
        self.assertTrue(d.Frames().call("status")["ok"])
        self.assertEqual(d.http("GET", "/v1/status")[0], 200)
        self.assertIn("icelock", run("getent", "group", "icelock"))
        self.assertIn("icelockd guards this machine", run("icelock", "status"))

    def test_2_a_tunnel_locks_by_policy(self):
        settings(manage_policies=True, browsers=["chromium", "edge", "firefox"], hold_seconds=3)
        d.wait_for(lambda: handling() is None, "the neutral file")
        laptop = d.Laptop()
        try:
            laptop.connect()
            d.wait_for(lambda: handling() == "default_public_interface_only", "the lock")
            self.assertTrue(os.path.exists("/etc/opt/edge/policies/managed/zz-icelock.json"))
            d.wait_for(lambda: os.path.exists("/etc/firefox/policies/policies.json"), "Firefox's")
            laptop.drop()
            d.wait_for(lambda: handling() == "disable_non_proxied_udp", "the hold")
            d.wait_for(lambda: handling() is None, "the end of the hold")
        finally:
            laptop.close()

    def test_3_killed_while_tunnels_flap(self):
        settings(manage_policies=True, browsers=["chromium"], hold_seconds=3600)
        laptop = d.Laptop()
        # Restarting at once and for ever is the test's, not the unit's.
        os.makedirs("/run/systemd/system/icelockd.service.d", exist_ok=True)
        with open("/run/systemd/system/icelockd.service.d/test.conf", "w", encoding="utf-8") as file:
            file.write("[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=50ms\n")
        run("systemctl", "daemon-reload")
        chance = random.Random(7)
        laptop.connect()
        d.wait_for(lambda: STRICTNESS[handling()] >= 1, "the first lock")
        looser = []
        for kill in range(KILLS):
            laptop.drop()
            time.sleep(chance.random() * 0.05)
            if chance.random() < 0.5:
                laptop.connect()
                time.sleep(chance.random() * 0.05)
            pid = property_of("MainPID")
            run("kill", "-9", pid, check=False)
            if STRICTNESS[handling()] < 1:
                looser.append(kill)
            d.wait_for(lambda: property_of("MainPID") not in ("0", pid)
                       and property_of("ActiveState") == "active", "the restart")
            # A fresh guard, with the note of a tunnel that was up, decides again.
            d.wait_for(lambda: STRICTNESS[handling()] == LEVELS[decision()],
                       f"the file to say {decision()}; it says {handling()}")
            if STRICTNESS[handling()] < 1:
                looser.append(kill)
            if laptop.tun is None:
                laptop.connect()
        laptop.close()
        self.assertEqual(looser, [])
        self.assertGreaterEqual(int(property_of("NRestarts")), KILLS)
        print(f"killed {KILLS} times: every file whole, none loosened")

    def test_4_stop_keeps_policies_and_an_upgrade_goes_on(self):
        before = handling()
        self.assertGreaterEqual(STRICTNESS[before], 1)
        run("systemctl", "stop", "icelockd.service", "icelockd-host.socket",
            "icelockd-http.socket")
        self.assertEqual(handling(), before)
        run("systemctl", "start", "icelockd-host.socket", "icelockd-http.socket",
            "icelockd.service")
        d.wait_for(lambda: decision() == "force_proxy", "the hold to be remembered")
        self.assertEqual(handling(), before)
        run("dpkg", "-i", "/opt/icelock-test/icelock.deb")
        self.assertEqual(property_of("ActiveState"), "active")
        self.assertEqual(handling(), before)

    def test_5_the_watchdog_ends_a_service_that_hangs(self):
        with open("/run/systemd/system/icelockd.service.d/test.conf", "a", encoding="utf-8") as file:
            file.write("WatchdogSec=2\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "icelockd.service")
        pid = property_of("MainPID")
        run("kill", "-STOP", pid)
        d.wait_for(lambda: property_of("MainPID") not in ("0", pid), "the watchdog", 20)
        self.assertIn("watchdog", run("journalctl", "-u", "icelockd.service", "--no-pager").lower())

    def test_6_purge_leaves_the_machine_as_it_was(self):
        settings()
        d.wait_for(lambda: not d.Frames().call("status")["state"]["service"]["manages_policies"],
                   "the settings")
        run("dpkg", "--purge", "icelock")
        self.assertEqual(handling(), "no file")
        for path in ("/etc/chromium", "/etc/icelock", "/var/lib/icelock", "/usr/sbin/icelockd"):
            self.assertFalse(os.path.exists(path), path)
        self.assertEqual(property_of("LoadState"), "not-found")
        self.assertIsNone(re.search("icelock", run("getent", "group")))


if __name__ == "__main__":
    if os.getpid() == 1 or not os.path.exists("/run/systemd/system"):
        sys.exit("for boot.sh")
    unittest.main(verbosity=2, failfast=True)
