# SPDX-License-Identifier: Apache-2.0
"""A policy document through icelockd: by frames, by HTTP and by `icelock apply`, held to its plan, and by whom."""

import json
import os
import signal
import subprocess
import unittest

import daemon_process as d

POLICY = "/etc/chromium/policies/managed/zz-icelock.json"
FIREFOX = "/etc/firefox/policies/policies.json"
SETTINGS = "/etc/icelock/icelock.json"
ICELOCK = os.path.join(d.BIN, "icelock")
DOCUMENT = {"browsers": {"chromium": "force_proxy"}, "sites": [{"pattern": "https://meet.example"}],
            "extension": {"firefox": {"installUrl": "https://x.example/i.xpi"}, "settings": {"mode": "locked"}},
            "floor": "default_route_only", "modes": ["auto", "locked"]}


def by_http(verb, **arguments):
    return json.loads(d.http("POST", f"/v1/{verb}", json.dumps(arguments).encode())[2])


class Document(unittest.TestCase):
    def test_through_both_doors_and_held_to_the_plan(self):
        for name, call in (("frames", lambda op, **more: d.Frames().call(op, **more)), ("http", by_http)):
            with self.subTest(name), d.Daemon():
                plan = call("plan", document=DOCUMENT)
                self.assertTrue(plan["ok"] and plan["pending"], plan)
                self.assertEqual({change["browser"] for change in plan["changes"]}, {"chromium", "firefox", "icelock"})
                self.assertFalse(os.path.exists(POLICY))
                refused = call("apply", document=DOCUMENT, fingerprint="0123456789abcdef")
                self.assertEqual((refused["ok"], refused["code"]), (False, "changed"))
                self.assertFalse(os.path.exists(POLICY) or os.path.exists(SETTINGS))
                done = call("apply", document=DOCUMENT, fingerprint=plan["fingerprint"], reason="by " + name)
                self.assertTrue(done["ok"] and done["done"], done)
                self.assertEqual(d.read_json(POLICY)["WebRtcIPHandlingUrl"][0]["url"], "https://meet.example")
                self.assertIn("3rdparty", d.read_json(FIREFOX)["policies"])
                # The guard obeys its new settings without being told.
                d.wait_for(lambda: d.Frames().call("status")["state"]["floor"] == "default_route_only", "the floor")
                self.assertEqual(d.Frames().call("status")["state"]["modes"], ["auto", "locked"])
                self.assertEqual(d.Frames().call("set_mode", mode="open")["code"], "not_permitted")
                self.assertFalse(call("plan", document=DOCUMENT)["pending"])
                entry = json.loads(d.http("GET", "/v1/history")[2])["entries"][-1]
                self.assertEqual((entry["reason"], entry["uid"], entry["plan"]),
                                 ("by " + name, 0, plan["fingerprint"]))
                self.assertTrue(call("revert")["ok"])
                self.assertFalse(any(map(os.path.exists, (POLICY, FIREFOX, SETTINGS))))
                d.wait_for(lambda: d.Frames().call("status")["state"]["floor"] == "unrestricted", "no floor")

    def test_what_a_document_leaves_out_is_no_longer_said(self):
        with d.Daemon():
            self.assertEqual(self.apply({"level": "force_proxy", "floor": "force_proxy"}).returncode, 0)
            self.assertEqual((d.read_json(POLICY)["WebRtcIPHandling"], d.read_json(SETTINGS)["floor"]),
                             ("disable_non_proxied_udp", "force_proxy"))
            ran = self.apply({"privateWindows": "force_proxy"})
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual((d.read_json(POLICY), d.read_json(SETTINGS)), ({}, {}))
            d.Frames().call("revert")
            self.assertFalse(any(map(os.path.exists, (POLICY, FIREFOX, SETTINGS))))

    def test_only_root_may(self):
        with d.Daemon():
            self.apply({"level": "force_proxy"})
            d.Frames().call("revert")
            for who in (d.MEMBER, d.NOBODY):
                for op in ("plan", "apply"):
                    answer = d.as_user(who, lambda op=op: d.Frames().call(op, document=DOCUMENT))
                    self.assertEqual(answer["code"], "not_permitted")
                    status, _, _ = d.as_user(who, lambda op=op: d.http(
                        "POST", f"/v1/{op}", json.dumps({"document": DOCUMENT}).encode()))
                    self.assertEqual(status, 403)
                ran = d.as_user(who, lambda: self.run_apply("--browser", "chromium"))
                self.assertEqual(ran.returncode, 5, ran.stdout)
            self.assertFalse(os.path.exists(POLICY) or os.path.exists(SETTINGS))

    def test_nonsense_is_refused_and_nothing_written(self):
        with d.Daemon():
            for document, code in (
                    ({"browsers": {"lynx": "force_proxy"}}, "bad_settings"), ({"level": "locked"}, "bad_settings"),
                    ({"browsers": []}, "bad_settings"), ([], "bad_settings"), ("x", "bad_settings"),
                    ({"floor": 3}, "bad_settings"), ({"manage": True}, "bad_settings"),
                    ({"extension": {"chromium": {"id": "a"}}}, "bad_settings"),
                    ({"extension": {"firefox": {"installUrl": "https://x.example"}, "settings": []}}, "bad_settings"),
                    ({"level": "force_proxy", "sites": "x"}, "bad_settings"),
                    ({"level": "force_proxy", "sites": [{"pattern": "*"}]}, "bad_settings"),
                    ({"level": "force_proxy", "sites": [{"pattern": "meet.example", "level": "force_proxy"}]},
                     "bad_settings")):
                with self.subTest(document):
                    answer = d.Frames().call("apply", document=document)
                    self.assertEqual((answer["ok"], answer.get("code")), (False, code))
            for field in ({"reason": "x" * 301}, {"reason": 1}, {"sudo_uid": -1}, {"sudo_uid": "root"},
                          {"fingerprint": 1}):
                answer = d.Frames().call("apply", document=DOCUMENT, **field)
                self.assertEqual((answer["code"], answer["object"]), ("bad_request", next(iter(field))))
            self.assertFalse(os.path.exists(POLICY) or os.path.exists(SETTINGS))

    def test_while_the_service_manages_policies_only_its_settings_can_be_applied(self):
        with d.Daemon({"manage_policies": True, "browsers": ["chromium"], "hold_seconds": 0}):
            self.assertEqual(self.apply({"level": "force_proxy"}).returncode, 1)
            self.assertEqual(d.Frames().call("apply", document=DOCUMENT)["code"], "busy")
            # Neither argument lets the other past.
            own = {"floor": "force_proxy"}
            for words in ({"document": DOCUMENT, "browsers": ["icelock"]},
                          {"document": {"level": "force_proxy"}, "browsers": ["icelock"]}):
                self.assertEqual(d.Frames().call("apply", **words)["code"], "busy", words)
            self.assertEqual(d.Frames().call("revert", document=own)["code"], "busy")
            ran = self.apply({"floor": "force_proxy"})
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertTrue(d.read_json(SETTINGS)["manage_policies"])
            d.wait_for(lambda: d.read_json(POLICY).get("WebRtcIPHandling") == "disable_non_proxied_udp",
                       "the floor in the policy file")
            self.assertTrue(d.Frames().call("revert", browsers=["icelock"])["ok"])
            d.wait_for(lambda: d.read_json(POLICY) == {}, "the file without a policy")
            self.assertEqual(d.read_json(SETTINGS)["hold_seconds"], 0)

    def test_what_an_admin_applied_is_not_the_services_to_change(self):
        site = {"pattern": "https://meet.example"}
        with d.Daemon() as daemon:
            self.assertEqual(self.apply({"level": "force_proxy", "sites": [site]}).returncode, 0)
            before = d.read_json(POLICY)
            self.assertEqual(before["WebRtcIPHandlingUrl"][0]["url"], "https://meet.example")
            for settings in ({"floor": "default_route_only"}, {"manage_policies": False}, {}):
                self.assertEqual(daemon.kill(signal.SIGTERM), 0)
                daemon.settings(settings)
                daemon.start()
                d.Frames().call("set_mode", mode="locked")
                d.Frames().call("set_mode", mode="auto")
                d.Frames().call("plan")  # behind whatever the service writes
                self.assertEqual(d.read_json(POLICY), before, settings)

    def test_an_applied_extension_stays_when_the_service_takes_over(self):
        extension = {"chromium": {"updateUrl": "https://x.example/u.xml"},
                     "firefox": {"installUrl": "https://x.example/i.xpi"}}
        with d.Daemon() as daemon:
            ran = self.apply({"level": "force_proxy", "extension": extension})
            self.assertEqual(ran.returncode, 0, ran.stderr)
            daemon.settings({"manage_policies": True, "browsers": ["chromium", "firefox"], "hold_seconds": 0,
                             "floor": "force_proxy"})
            for floor in ("force_proxy", "unrestricted", "default_route_only"):
                daemon.settings({"manage_policies": True, "browsers": ["chromium", "firefox"], "hold_seconds": 0,
                                 "floor": floor})
                d.wait_for(lambda floor=floor: d.Frames().call("status")["state"]["floor"] == floor, floor)
                d.wait_for(lambda floor=floor: ("WebRtcIPHandling" in d.read_json(POLICY)) ==
                           (floor != "unrestricted"), "the level in Chromium's file")
                d.wait_for(lambda floor=floor: ("Preferences" in d.read_json(FIREFOX)["policies"]) ==
                           (floor != "unrestricted"), "the level in Firefox's file")
                self.assertIn("ExtensionSettings", d.read_json(POLICY))
                self.assertIn("ExtensionSettings", d.read_json(FIREFOX)["policies"])

    def test_as_many_sites_as_a_document_may_have(self):
        sites = [{"pattern": f"https://a-site-with-a-long-name-{i}.example"} for i in range(400)]
        browsers = {each: "force_proxy"
                    for each in ("chromium", "chrome", "edge", "brave", "vivaldi", "firefox")}
        with d.Daemon():
            ran = self.apply({"level": "force_proxy", "sites": sites, "browsers": browsers})
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(len(d.read_json(POLICY)["WebRtcIPHandlingUrl"]), 400)
            longer = [{"pattern": f"https://{'a' * 60}.{'b' * 40}{i}.example"} for i in range(400)]
            self.assertGreater(len(json.dumps(longer)), 50_000)
            answer = by_http("plan", document={"level": "force_proxy", "sites": longer})
            self.assertTrue(answer["ok"], str(answer)[:500])
            # A larger one is heard, and refused for what it is.
            self.assertEqual(by_http("plan", document={"about": "x" * 100_000})["code"], "bad_settings")
            self.assertEqual(d.Frames().call("plan", document={"about": "x" * 100_000})["code"], "bad_settings")
            # Only root has so much to say.
            status, _, content = d.as_user(d.MEMBER, lambda: d.http("POST", "/v1/plan", b" " * 70_000))
            self.assertEqual((status, json.loads(content)["code"]), (413, "too_large"))
            door = d.as_user(d.MEMBER, lambda: self.answer_to(b" " * 70_000))
            self.assertEqual(door["code"], "too_large")

    @staticmethod
    def answer_to(payload):
        door = d.Frames()
        door.send(payload)
        return door.receive()

    def test_what_was_done_beside_a_large_file_is_not_said_to_have_failed(self):
        with d.Daemon():
            os.makedirs(os.path.dirname(FIREFOX))
            with open(FIREFOX, "w", encoding="utf-8") as file:
                json.dump({"policies": {"Bookmarks": [{"Title": "x" * 710_000}]}}, file)
            ran = self.apply({"browsers": {"firefox": "force_proxy"}}, "--json")
            self.assertEqual(ran.returncode, 0, ran.stdout[-2000:] + ran.stderr)
            answer = json.loads(ran.stdout)
            self.assertTrue(answer["done"])
            self.assertIn("Preferences", d.read_json(FIREFOX)["policies"])
            entry = json.loads(d.http("GET", "/v1/history")[2])["entries"][-1]
            self.assertEqual(answer["fingerprint"], entry["plan"])
            ran = subprocess.run([ICELOCK, "revert"], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertNotIn("Preferences", d.read_json(FIREFOX)["policies"])

    def apply(self, document, *words):
        with open("/run/document.json", "w", encoding="utf-8") as file:
            json.dump(document, file)
        return self.run_apply(*words)

    @staticmethod
    def run_apply(*words):
        return subprocess.run([ICELOCK, "apply", "--yes", "/run/document.json", *words], capture_output=True, text=True,
                              check=False, timeout=60)


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
