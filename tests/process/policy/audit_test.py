#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`icelock audit` through the outer door: its forms, its exit codes, running browsers and profiles.

(ICELOCK_BIN: where the programs are)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import trees

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.abspath(os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock"))
SAMPLE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? -?\d+$')


def audit(*words, **more):
    return subprocess.run([PROGRAM, "audit", *words], capture_output=True, text=True, timeout=60,
                          check=False, **more)


class Audit(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="icelock-audit-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        self.machine = trees.Machine(self.root)

    def apply(self, *words):
        subprocess.run([PROGRAM, "apply", "--yes", "--root", self.root, *words], check=True, capture_output=True)

    def found(self, *words):
        """The exit code, whether there was anything to compare with, and each finding but information."""
        ran = audit("--json", "--root", self.root, *words)
        said = json.loads(ran.stdout)
        return ran.returncode, said["compared"], sorted((each["id"], each["severity"], each["browser"])
                                                        for each in said["findings"] if each["severity"] != "info")

    def test_exit_codes(self):
        self.apply()
        self.assertEqual(audit("--root", self.root).returncode, 0)
        self.machine.chromium("a.json", '{"WebRtcIPHandlingPolicy": "default"}')
        self.assertEqual(audit("--root", self.root).returncode, 4)

    def test_an_audit_with_nothing_to_compare_says_so(self):
        nothing = (4, False, [("not_compared", "warning", "")])
        self.assertEqual(self.found(), nothing)
        said = audit("--root", self.root).stdout
        self.assertNotIn("As intended", said)
        self.assertTrue(said.endswith("No mistake found, and nothing to compare.\n"), said)
        self.assertIn("icelock_audit_compared 0\n", audit("--root", self.root, "--prometheus").stdout)
        self.apply()
        self.assertEqual(self.found(), (0, True, []))
        self.assertTrue(audit("--root", self.root).stdout.endswith("As intended.\n"))
        self.assertIn("icelock_audit_compared 1\n", audit("--root", self.root, "--prometheus").stdout)
        subprocess.run([PROGRAM, "revert", "--root", self.root], check=True, capture_output=True)
        self.assertEqual(self.found(), nothing)

    def test_who_may_not_read_the_ledger_has_nothing_to_compare_either(self):
        self.apply()
        self.assertEqual(audit("--root", self.root, user=65534).returncode, 4)
        self.assertIn("Run it as root", audit("--root", self.root, user=65534).stdout)

    def test_a_ledger_that_cannot_be_used(self):
        entry = {"path": "etc/passwd", "original": None, "written": ["x"]}
        for text in ("{", '{"v": 9, "files": [], "folders": []}', ""):
            self.machine.write("var/lib/icelock/ledger.json", text, mode=0o600)
            self.assertEqual(self.found(), (4, False, [("ledger_broken", "error", "")]), text)
        for strange in (entry, {**entry, "path": "etc/icelock/icelock.json", "written": []}):
            self.machine.write("var/lib/icelock/ledger.json", json.dumps({"v": 1, "files": [strange], "folders": []}))
            self.assertEqual(self.found(), (4, True, [("ledger_broken", "error", "")]))

    def test_a_ledger_that_is_gone(self):
        for browser in ("chromium", "firefox"):
            self.apply("--browser", browser)
            os.unlink(self.machine.at("var/lib/icelock/ledger.json"))
            # What Chromium's file says is known all the same: it is icelock's alone.
            code, compared, found = self.found()
            self.assertEqual((code, compared), (4, browser == "chromium"))
            self.assertIn(("ledger_missing", "warning", ""), found)
            for path in (f"{trees.CHROMIUM}/{trees.OWN}", trees.FIREFOX):
                if os.path.exists(self.machine.at(path)):
                    os.unlink(self.machine.at(path))
            self.assertEqual(self.found(), (4, False, [("ledger_missing", "warning", "")]), browser)

    def test_files_of_an_export_or_of_its_role_are_what_is_intended(self):
        own = f"{trees.CHROMIUM}/{trees.OWN}"
        self.apply("--browser", "firefox")
        with open(self.machine.at(trees.FIREFOX), encoding="utf-8") as file:
            wish = file.read()
        shutil.rmtree(self.machine.at("var/lib/icelock"))
        self.machine.chromium(trees.OWN, trees.LOCK)
        self.machine.firefox(wish)
        self.assertEqual(self.found(), (0, True, []))
        self.assertIn("not_recorded", audit("--root", self.root).stdout)
        self.machine.chromium("zzz.json", '{"WebRtcIPHandling": "default"}')
        self.assertIn(("level_loose", "error", "chromium"), self.found()[2])
        os.unlink(self.machine.at(f"{trees.CHROMIUM}/zzz.json"))
        self.machine.write("var/lib/icelock-ansible/state.json", json.dumps({"v": 1, "files": {
            f"/{own}": {"content": trees.LOCK, "merge": False}, f"/{trees.FIREFOX}": {"content": wish, "merge": True},
            "/etc/passwd": {"content": "x"}, f"/{trees.CHROMIUM}/x.json": 5}}))
        self.machine.firefox(json.dumps({"policies": {"DisableTelemetry": True, **json.loads(wish)["policies"]}}))
        self.assertEqual(self.found(), (0, True, []))
        for path, there in ((own, "{}"), (own, None), (trees.FIREFOX, wish.replace("locked", "default"))):
            with open(self.machine.at(path), encoding="utf-8") as file:
                before = file.read()
            if there is None:
                os.unlink(self.machine.at(path))
            else:
                self.machine.write(path, there)
            code, compared, found = self.found()
            self.assertEqual((code, compared), (4, True))
            self.assertIn("own_file_missing" if there is None else "own_file_changed", [each[0] for each in found])
            self.machine.write(path, before)
        self.assertEqual(self.found(), (0, True, []))

    def test_settings_that_the_guard_refuses(self):
        self.apply()
        path = "etc/icelock/icelock.json"
        for text, word in (('{"floor": "locked"}', '"floor" must be'), ('{"hold": 5}', '"hold"'), ("{", "JSON"),
                           ('{"$schema": "' + "x" * 70000 + '"}', "too large")):
            self.machine.write(path, text)
            self.assertEqual(self.found(), (4, True, [("settings_broken", "error", "")]), text[:40])
            ran = json.loads(audit("--json", "--root", self.root).stdout)
            self.assertIn(word, next(each["text"] for each in ran["findings"] if each["id"] == "settings_broken"))
            self.assertFalse(ran["drift"])
        self.machine.write(path, '{"floor": "force_proxy"}')
        self.assertEqual(self.found(), (0, True, []))

    def test_a_browser_without_a_level_beside_those_that_have_one(self):
        unmanaged = ("browser_unmanaged", "warning", "brave")
        self.apply()
        self.machine.write(trees.PROGRAMS["brave"], "")
        self.assertEqual(self.found(), (4, True, [unmanaged]))
        # Whoever sets one, it has one.
        self.machine.write(f"{trees.FOLDERS['brave']}/a.json", trees.LOCK)
        self.assertEqual(self.found(), (0, True, []))
        os.unlink(self.machine.at(f"{trees.FOLDERS['brave']}/a.json"))
        subprocess.run([PROGRAM, "revert", "--root", self.root], check=True, capture_output=True)
        self.assertNotIn(unmanaged, self.found()[2])

    def test_text_names_file_key_and_cure_and_steers_no_terminal(self):
        self.machine.chromium("\x1b[2J\x9b1m.json", '{"WebRtcIPHandling": "proxy_only\\u001b[2J"}')
        ran = audit("--root", self.root)
        self.assertNotIn("\x1b", ran.stdout)
        self.assertNotIn("\x9b", ran.stdout)
        self.assertIn("WebRtcIPHandling", ran.stdout)
        self.assertIn("value_unknown", ran.stdout)

    def test_sarif_is_whole(self):
        self.machine.chromium("a ü.json", "{")
        log = json.loads(audit("--root", self.root, "--sarif").stdout)
        self.assertEqual(log["version"], "2.1.0")
        run = log["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        self.assertEqual(len({rule["id"] for rule in rules}), len(rules))
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertIn(result["level"], ("note", "warning", "error"))
            self.assertTrue(result["message"]["text"])
        broken = next(r for r in run["results"] if r["ruleId"] == "file_broken")
        uri = broken["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        self.assertTrue(uri.startswith("file:///") and uri.endswith("/a%20%C3%BC.json"), uri)

    def test_metrics_are_prometheus_text(self):
        self.machine.chromium("a.json", "{")
        text = audit("--root", self.root, "--prometheus").stdout
        self.assertTrue(text.endswith("\n"))
        for line in text.splitlines():
            self.assertTrue(line.startswith("# ") or SAMPLE.match(line), line)
        self.assertIn('rule="file_broken",severity="error",browser="chromium"} 1\n', text)
        self.assertIn("icelock_audit_drift 0\n", text)

    def unsafe(self):
        root = os.path.join(self.root, "unsafe")
        os.makedirs(root, exist_ok=True)
        os.chmod(root, 0o777)
        return root

    def test_a_failed_audit_prints_nothing_that_passes_for_one(self):
        for form in ("--sarif", "--prometheus"):
            ran = audit(form, "--root", self.unsafe())
            self.assertEqual((ran.returncode, ran.stdout), (6, ""), form)
            self.assertIn("[unsafe_path]", ran.stderr)
            with open("/dev/full", "wb") as full:
                ran = subprocess.run([PROGRAM, "audit", form, "--root", self.root], stdout=full, stderr=subprocess.PIPE,
                                     timeout=60, check=False)
            self.assertEqual(ran.returncode, 1, form)
        self.assertEqual(json.loads(audit("--json", "--root", self.unsafe()).stdout)["code"], "unsafe_path")

    def test_the_documented_recipe_keeps_the_last_good_metrics(self):
        with open(os.path.join(HERE, "../../../docs/admin.md"), encoding="utf-8") as file:
            recipe = next(text for text in re.findall(r"```sh\n(.*?)```", file.read(), re.S) if "--prometheus" in text)
        collected = os.path.join(self.root, "collected")
        os.mkdir(collected)
        recipe = re.sub(r"(?m)^d=.*$", f"d={collected}", recipe)
        for root, words, code in ((self.root, (), 0), (self.unsafe(), (), 1), (self.root, ("{",), 0)):
            for broken in words:
                self.machine.chromium("a.json", broken)
            script = f'icelock() {{ "{PROGRAM}" "$@" --root "{root}"; }}\n' + recipe
            ran = subprocess.run(["sh", "-c", script], timeout=60, check=False, stderr=subprocess.DEVNULL)
            self.assertEqual((ran.returncode, os.listdir(collected)), (code, ["icelock.prom"]), root)
            with open(os.path.join(collected, "icelock.prom"), encoding="utf-8") as file:
                text = file.read()
            self.assertIn("icelock_audit_time_seconds ", text)
        self.assertIn("file_broken", text)

    def test_every_odd_machine_gets_an_answer(self):
        for number, (name, make) in enumerate(trees.ODD.items()):
            with self.subTest(name):
                root = os.path.join(self.root, str(number))
                os.mkdir(root, 0o755)
                make(trees.Machine(root))
                ran = audit("--root", root, "--json")
                self.assertIn(ran.returncode, (0, 4), ran.stderr)
                found = json.loads(ran.stdout)
                self.assertEqual(found["clean"], ran.returncode == 0)

    def test_running_browsers_and_profiles(self):
        """A program in a browser's place with a browser's switches, and a home with its profiles."""
        home = os.path.join(self.root, "home")
        profile = trees.Machine(home, ())
        profile.write(".config/google-chrome/Default/Preferences", json.dumps(
            {"webrtc": {"ip_handling_policy": "default"},
             "extensions": {"settings": {
                 "a" * 32: {"preferences": {"webrtc.ip_handling_policy": "default"}},
                 "b" * 32: {"disable_reasons": [1],
                            "preferences": {"webrtc.ip_handling_policy": "default"}}}}}))
        profile.write(".config/google-chrome/Local State", json.dumps(
            {"browser": {"enabled_labs_experiments": ["enable-webrtc-hide-local-ips-with-mdns@2"]}}))
        profile.write(".mozilla/firefox/x.default/prefs.js",
                      'user_pref("media.peerconnection.ice.no_host", true);\n')
        profile.write(".mozilla/firefox/x.default/extension-settings.json", json.dumps(
            {"prefs": {"network.webRTCIPHandlingPolicy": {"precedenceList": [
                {"id": "other@x", "value": "default", "enabled": True},
                {"id": "off@x", "value": "default", "enabled": False}]}}}))
        script = """
            mount -t tmpfs none /opt && mkdir -p /opt/google/chrome &&
            cp "$(readlink -f "$1")" /opt/google/chrome/chrome || exit 77
            /opt/google/chrome/chrome -c 'print(flush=True); import time; time.sleep(60)' \
              --webrtc-ip-handling-policy=default --disable-features=A,WebRtcHideLocalIpsWithMdns \
              >"$HOME/ready" & browser=$!
            until [ -s "$HOME/ready" ]; do sleep 0.05; done
            "$0" audit --json; kill $browser"""
        ran = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, PROGRAM, sys.executable],
                             capture_output=True, text=True, timeout=60, check=False,
                             env=os.environ | {"HOME": home})
        found = json.loads(ran.stdout)["findings"]
        mine = [each for each in found
                if each["browser"] in ("chrome", "firefox") and
                (each["file"].startswith(home) or "process" in each["file"])]
        count = {rule: sum(each["id"] == rule for each in mine)
                 for rule in ("switch_overrides", "profile_preference", "other_extension", "profile_flag")}
        self.assertEqual(count, {"switch_overrides": 2, "profile_preference": 2,
                                 "other_extension": 2, "profile_flag": 1}, mine)
        self.assertFalse([each for each in mine if "b" * 32 in each["text"] or "off@x" in each["text"]])


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root, for a mount of its own")
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    unittest.main()
