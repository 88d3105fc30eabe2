#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`icelock check` with a browser that is a script: what it tells is judged by the network, what it tries is refused,
and whatever ends, nothing of it is left. Exit 77: cannot run here."""

import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lone_network import CARD4, CARD6, PROGRAM, TUNNEL4, Case, main

FAKE = Path(__file__).resolve().with_name("fake_browser.py")
EVERYWHERE = ["event", "sdp", "stats"]


def shown(address, kind="host"):
    return {"address": address, "type": kind, "sources": EVERYWHERE}


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False


def until(what, probe, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("not in time: " + what)


class CheckTest(Case):
    def setUp(self):
        super().setUp()
        self.root = Path(self.folder.name)
        (self.root / "usr/bin").mkdir(parents=True)
        (self.root / "tmp").mkdir()
        self.install("chromium")

    def install(self, name):
        program = self.root / "usr/bin" / name
        program.write_bytes(FAKE.read_bytes())
        program.chmod(0o755)

    def script(self, **words):
        (self.root / "script").write_text(json.dumps(words), encoding="utf-8")

    def command(self, *options):
        return [PROGRAM, "check", "--root", str(self.root), *options]

    def environment(self):
        return super().environment() | {"TMPDIR": str(self.root / "tmp")}

    def check(self, *options):
        """(exit code, the report)"""
        result = subprocess.run(self.command("--json", *options), text=True, capture_output=True, check=False,
                                env=self.environment(), timeout=120)
        self.assert_nothing_is_left()
        report = json.loads(result.stdout)
        print(result.stdout if result.returncode == 1 else "", end="")  # seen when a test fails
        return result.returncode, report

    def pids(self):
        try:
            return [int(pid) for pid in (self.root / "pids").read_text(encoding="ascii").split()]
        except OSError:
            return []

    def assert_nothing_is_left(self):
        self.assertEqual([pid for pid in self.pids() if is_alive(pid)], [])
        self.assertEqual(list((self.root / "tmp").iterdir()), [])

    def lock(self, level):
        subprocess.run([PROGRAM, "apply", "--yes", "--root", str(self.root), "--browser", "chromium", "--level", level],
                       check=True, capture_output=True)

    def test_what_showed_is_judged_by_this_network(self):
        self.raise_tunnel()
        self.script(act="tell", plain=[shown(CARD6, "srflx"), shown(TUNNEL4, "srflx"),
                                       shown("0b2c-11.local")],
                    granted=[shown(CARD4), shown(TUNNEL4), shown("203.0.114.9", "srflx"),
                             shown("127.0.0.1"), shown("198.51.100.1", "relay")])
        code, report = self.check()
        self.assertEqual(code, 3)
        self.assertTrue(report["vpn"] and report["leak"])
        browser = report["browsers"][0]
        self.assertEqual((browser["id"], browser["level"], browser["policy"], browser["leak"]),
                         ("chromium", "unrestricted", None, True))
        found = {(entry["class"], entry["address"], entry["permission"], entry["protected"], entry["link"])
                 for entry in browser["shown"]}
        self.assertEqual(found, {
            ("isp_v6", CARD6, "none", True, "card0"),
            ("egress", "", "none", False, "tun0"),       # this machine cannot know its outside
            ("lan", CARD4, "granted", True, "card0"),
            ("tunnel", TUNNEL4, "granted", False, "tun0"),
            ("isp_v4", "203.0.114.9", "granted", True, ""),  # nobody knows it: never harmless
        })
        self.assertEqual(browser["shown"][0]["sources"], EVERYWHERE)
        self.assertIn("icelock apply --yes --browser chromium --level force_proxy", browser["advice"][0])

    def test_without_a_vpn_nothing_is_a_leak(self):
        self.script(act="tell", plain=[shown(CARD4, "srflx")], granted=[shown(CARD4)])
        code, report = self.check()
        self.assertEqual(code, 0)
        self.assertFalse(report["vpn"] or report["leak"])
        self.assertEqual([entry["class"] for entry in report["browsers"][0]["shown"]], ["lan", "isp_v4"])

    def test_silence_is_the_lock(self):
        self.raise_tunnel()
        self.lock("force_proxy")
        self.script(act="tell")
        code, report = self.check()
        self.assertEqual((code, report["leak"]), (0, False))
        browser = report["browsers"][0]
        self.assertEqual((browser["level"], browser["policy"]), ("force_proxy", "force_proxy"))

    def test_a_policy_that_is_not_obeyed_is_no_lock(self):
        self.raise_tunnel()
        self.lock("force_proxy")
        self.script(act="tell", plain=[shown(CARD6, "srflx")])
        code, report = self.check()
        self.assertEqual(code, 3)
        browser = report["browsers"][0]
        self.assertEqual((browser["level"], browser["policy"]), ("default_route_only", "force_proxy"))
        self.assertIn("does not do it", browser["advice"][0])

    def test_what_must_be_refused_is_refused(self):
        self.script(act="attack", plain=[shown(CARD4)])
        code, report = self.check()
        self.assertEqual(code, 0)
        statuses = json.loads((self.root / "statuses").read_text(encoding="utf-8"))
        malformed = {"no json": 400, "a list": 400, "unknown member": 400, "not an address": 400, "markup": 400,
                     "unknown type": 400, "unknown source": 400, "too many": 400, "deep": 400, "too large": 413}
        self.assertEqual(statuses, {name: malformed.get(name, 404) for name in statuses})
        self.assertEqual(len(statuses), 23)
        # The honest answer still counted, and then the page was closed.
        self.assertEqual(report["browsers"][0]["shown"][0]["address"], CARD4)
        self.assertEqual((self.root / "again").read_text(encoding="ascii"), "404")

    def test_the_browser_gets_a_fresh_profile_and_nothing_of_ours(self):
        self.script(act="tell")
        self.check()
        argv = json.loads((self.root / "argv").read_text(encoding="utf-8"))
        url = (self.root / "url").read_text(encoding="utf-8")
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/[0-9a-f]{32}$")
        self.assertNotIn(url.rpartition("/")[2], " ".join(argv))  # everybody may read a command line
        profile = [word for word in argv if word.startswith("--user-data-dir=")][0]
        self.assertIn(str(self.root / "tmp"), profile)
        environment = json.loads((self.root / "environment").read_text(encoding="utf-8"))
        self.assertTrue(environment["HOME"].startswith(str(self.root / "tmp")))
        self.assertNotIn("ICELOCK_BIN", environment)

    def test_one_that_never_answers_is_a_failure(self):
        self.script(act="wait")
        code, report = self.check("--timeout", "1")
        self.assertEqual((code, report["browsers"][0]["error"]["code"]), (1, "timeout"))
        self.assertNotIn("leak", report["browsers"][0])

    def test_one_that_dies_is_a_failure_with_its_last_words(self):
        self.script(act="die")
        code, report = self.check()
        self.assertEqual(code, 1)
        error = report["browsers"][0]["error"]
        self.assertEqual(error["code"], "unavailable")
        self.assertIn('exit code 7, saying "boom[31m"', error["what"])

    def test_one_that_cannot_be_run_is_a_failure(self):
        (self.root / "usr/bin/chromium").chmod(0o644)
        self.script(act="tell")
        code, report = self.check()
        self.assertEqual((code, report["browsers"][0]["error"]["code"]), (1, "not_found"))
        code, report = self.check("--browser", "firefox")
        self.assertEqual((code, report["browsers"][0]["error"]["code"]), (1, "not_found"))
        code, report = self.check("--browser", "mosaic")
        self.assertEqual((code, report["code"]), (1, "not_found"))

    def test_a_machine_without_a_network_proves_nothing(self):
        subprocess.run(["ip", "link", "set", "card0", "down"], check=True)
        self.script(act="tell")
        code, report = self.check()
        self.assertEqual((code, report["code"]), (1, "unavailable"))

    def test_a_packet_filter_that_silences_us_proves_nothing(self):
        rules = "table inet t { chain c { type filter hook output priority 0; oif lo udp dport >= 1024 drop\n}\n}"
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        self.addCleanup(subprocess.run, ["nft", "flush", "ruleset"], check=True)
        self.script(act="tell")
        code, report = self.check()
        self.assertEqual((code, report["code"]), (1, "unavailable"))

    def test_a_failure_does_not_hide_a_leak(self):
        self.raise_tunnel()
        self.script(act="tell", plain=[shown(CARD6, "srflx")])
        code, report = self.check("--browser", "firefox", "--browser", "chromium")
        self.assertEqual(code, 3)
        self.assertEqual(["error" in browser for browser in report["browsers"]], [True, False])

    def test_children_that_detach_themselves_are_ended(self):
        self.script(act="linger", granted=[shown(CARD4)])
        code, _ = self.check()
        self.assertEqual(code, 0)
        self.assertGreaterEqual(len(self.pids()), 2)

    def start(self):
        self.script(act="linger_and_wait")
        check = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=self.environment())
        until("the browser and its two children run", lambda: len(self.pids()) == 3)
        return check

    def worker_of(self, check):
        children = Path(f"/proc/{check.pid}/task/{check.pid}/children").read_text(encoding="ascii").split()
        self.assertEqual(len(children), 1)
        return int(children[0])

    def assert_all_goes(self):
        until("nothing is left", lambda: not any(is_alive(pid) for pid in self.pids())
              and not list((self.root / "tmp").iterdir()))

    def test_icelock_killed(self):
        check = self.start()
        worker = self.worker_of(check)
        check.kill()
        check.wait()
        self.assert_all_goes()
        until("icelock-check is gone", lambda: not is_alive(worker))

    def test_its_worker_killed(self):
        check = self.start()
        os.kill(self.worker_of(check), signal.SIGKILL)
        self.assertEqual(check.wait(30), 1)
        self.assert_all_goes()

    def test_interrupted(self):
        check = self.start()
        check.send_signal(signal.SIGINT)
        self.assertNotIn(check.wait(30), (0, 3))
        self.assert_all_goes()


if __name__ == "__main__":
    main()
