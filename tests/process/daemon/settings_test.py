# SPDX-License-Identifier: Apache-2.0
"""The service and its settings files: the machine's mode, the admin's word, and files that are broken."""

import json
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host"))
import daemon_process as d  # noqa: E402
import host_process  # noqa: E402

POLICY = "/etc/chromium/policies/managed/zz-icelock.json"
FIREFOX = "/etc/firefox/policies/policies.json"
BROKEN = '{\n  "manage_policies": true,,\n}'


class Settings(unittest.TestCase):
    def test_no_mode_goes_below_the_floor(self):
        with d.Daemon({"floor": "force_proxy"}):
            answer = d.as_user(d.MEMBER, lambda: d.Frames().call(
                "set_mode", mode="locked", level="default_route_only"))
            self.assertEqual(answer["code"], "below_floor")
            state = d.as_user(d.MEMBER, lambda: d.Frames().call("set_mode", mode="open"))["state"]
            self.assertEqual(state["decision"]["chromium"], "force_proxy")

    def test_a_broken_file_keeps_the_last_good_settings_and_says_where(self):
        with d.Daemon({"floor": "force_proxy"}) as daemon:
            door = d.Frames()
            door.call("subscribe")
            daemon.settings('{\n  "flor": "unrestricted"\n}')
            daemon.process.send_signal(signal.SIGHUP)
            state = door.push(lambda s: any(r["code"] == "settings_broken" for r in s["reasons"]))
            self.assertEqual(state["decision"]["firefox"], "force_proxy")
            self.assertIn("icelock.json:2", json.dumps(state["reasons"]))
            self.assertIn(b"\nicelock_settings_broken 1\n", d.http("GET", "/metrics")[2])
            daemon.settings({"floor": "default_route_only"})
            state = door.push(lambda s: s["floor"] == "default_route_only")
            self.assertNotIn("settings_broken", json.dumps(state["reasons"]))
            self.assertIn("SETTINGS", daemon.log())

    def test_the_mode_survives_a_restart(self):
        with d.Daemon() as daemon:
            d.Frames().call("set_mode", mode="locked")
            self.assertEqual(daemon.kill(signal.SIGTERM), 0)
            daemon.start()
            self.assertEqual(d.Frames().call("status")["state"]["mode"], "locked")


    def test_the_admin_is_heard_while_the_mode_cannot_be_read(self):
        with d.Daemon() as daemon:
            d.Frames().call("set_mode", mode="open")
            with open("/var/lib/icelock/mode.json", "w", encoding="utf-8") as file:
                file.write("{ broken")
            daemon.settings({"mode": "locked", "manage_policies": True, "browsers": ["chromium"]})
            d.wait_for(lambda: d.Frames().call("status")["state"]["mode_fixed"], "the admin's mode")
            state = d.Frames().call("status")["state"]
            self.assertEqual(state["decision"]["chromium"], "force_proxy")
            self.assertIn("mode.json", json.dumps(state["reasons"]))
            d.wait_for(lambda: os.path.exists(POLICY), "the policy")

    def test_the_admin_is_heard_while_a_users_file_is_broken(self):
        os.makedirs("/etc/icelock", exist_ok=True)
        admins = "/etc/icelock/icelock.json"
        if os.path.exists(admins):
            os.remove(admins)
        with host_process.Host(settings={"mode": "open"}) as host:
            host.ask("subscribe")
            host.write_settings('{"mode": "open",,}')
            with open(admins, "w", encoding="utf-8") as file:
                json.dump({"mode": "locked"}, file)
            state = host.push_of_mode("locked")["state"]
            self.assertEqual(state["decision"]["chromium"], "force_proxy")
            os.remove(admins)
            host.push_of_mode("open")


class BrokenAtTheStart(unittest.TestCase):
    def setUp(self):
        self.laptop = d.Laptop()
        self.addCleanup(self.laptop.close)

    def restart_with(self, daemon, settings):
        self.assertEqual(daemon.kill(signal.SIGTERM), 0)
        daemon.settings(settings)
        daemon.start()

    def test_what_was_managed_stays_managed_and_locked(self):
        managed = {"manage_policies": True, "browsers": ["chromium"]}
        with d.Daemon(managed) as daemon:
            d.wait_for(lambda: os.path.exists(POLICY), "the policy")
            self.restart_with(daemon, BROKEN)
            self.laptop.connect()
            d.wait_for(lambda: d.read_json(POLICY).get("WebRtcIPHandling") == "disable_non_proxied_udp", "the lock")
            self.assertFalse(os.path.exists(FIREFOX), "it was not managed")
            state = d.Frames().call("status")["state"]
            self.assertIn("settings_broken", json.dumps(state["reasons"]))
            daemon.settings(managed)
            d.wait_for(lambda: d.read_json(POLICY).get("WebRtcIPHandling") == "default_public_interface_only",
                       "the level of the network")

    def test_what_was_not_managed_is_not(self):
        with d.Daemon({"manage_policies": False}) as daemon:
            self.restart_with(daemon, BROKEN)
            self.laptop.connect()
            time.sleep(1)
            self.assertFalse(os.path.exists(POLICY) or os.path.exists(FIREFOX))


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
