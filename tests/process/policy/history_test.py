#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`icelock history` without a service: what is listed, who, why, and what a crash or a full file does to it.

(ICELOCK_BIN: where the programs are; tests/process/daemon has the same with a service)
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import trees

PROGRAM = os.path.abspath(os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock"))
FILE = "var/lib/icelock/history.jsonl"
NOBODY = 65534


class History(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="icelock-history-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        self.machine = trees.Machine(self.root)
        self.start = trees.snapshot(self.root)

    def icelock(self, *words, **more):
        environment = {name: value for name, value in os.environ.items() if name != "SUDO_UID"}
        environment |= more.pop("env", {})
        return subprocess.run([PROGRAM, *words, "--root", self.root], capture_output=True, text=True,
                              timeout=60, check=False, env=environment, **more)

    def history(self, **more):
        ran = self.icelock("history", "--json", **more)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        found = json.loads(ran.stdout)
        return found["entries"], found["skipped"]

    def test_apply_and_revert_are_listed_and_nothing_else(self):
        self.assertEqual(self.history(), ([], 0))
        plan = json.loads(self.icelock("plan", "--json").stdout)["fingerprint"]
        self.icelock("revert")
        self.assertEqual(trees.snapshot(self.root), self.start, "a revert of nothing left something")
        self.icelock("apply", "--yes", "--reason", "ticket 4711", env={"SUDO_UID": "1234"})
        self.icelock("apply", "--yes")  # nothing to do
        self.icelock("revert", "--reason", "the trial is over")
        (applied, reverted), skipped = self.history()
        self.assertEqual(skipped, 0)
        self.assertRegex(applied["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual([applied[key] for key in ("verb", "uid", "sudo_uid", "reason", "plan", "browsers")],
                         ["apply", 0, 1234, "ticket 4711", plan, ["chromium", "firefox"]])
        self.assertEqual([reverted[key] for key in ("verb", "sudo_uid", "reason")],
                         ["revert", None, "the trial is over"])
        self.assertEqual(trees.left(self.root), self.start, "revert left more than the history")
        # The result is a matter of the files alone.
        self.icelock("apply", "--yes")
        self.icelock("revert")
        results = [entry["result"] for entry in self.history()[0]]
        self.assertEqual(results[:2], results[2:])
        self.assertNotEqual(results[0], results[1])

    def test_everybody_may_read_it(self):
        self.icelock("apply", "--yes")
        self.icelock("revert")
        ran = self.icelock("history", user=NOBODY, group=NOBODY, extra_groups=[], umask=0)
        self.assertEqual((ran.returncode, ran.stdout.count("\n")), (0, 4), ran.stderr)

    def test_a_refused_apply_is_not_listed(self):
        self.machine.firefox("{")
        self.assertEqual(self.icelock("apply", "--yes").returncode, 6)
        self.assertEqual(self.icelock("apply", "--yes", "--reason", "x" * 301).returncode, 64)
        self.assertEqual(self.icelock("apply", "--yes", "--reason", b"\xff").returncode, 64)
        self.assertEqual(trees.snapshot(self.root).keys() - self.start.keys(),
                         {"etc/firefox", "etc/firefox/policies", trees.FIREFOX})

    def test_a_reason_is_one_line_and_steers_no_terminal(self):
        self.icelock("apply", "--yes", "--reason", " one\ntwo\x1b[2J\x9b\u202e\u2028ü\x07 ")
        self.assertEqual(self.history()[0][0]["reason"], "one two [2J   ü")
        self.machine.write(FILE, self.read().replace("one two", "\\u001b[2J"))
        shown = self.icelock("history").stdout
        self.assertNotIn("\x1b", shown)
        self.assertEqual(shown.count("\n"), 3)

    def read(self):
        with open(self.machine.at(FILE), encoding="utf-8") as file:
            return file.read()

    def test_a_torn_line_is_skipped_and_said(self):
        self.icelock("apply", "--yes")
        whole = self.read()
        for torn in (whole[:-1], whole[:40], whole + whole[:40], whole + '{"v": 1}', "\0\0\0\0"):
            with self.subTest(torn):
                self.machine.write(FILE, torn)
                kept = [] if torn == whole[:40] or torn[0] == "\0" else [json.loads(whole)["plan"]]
                entries, skipped = self.history()
                self.assertEqual([each["plan"] for each in entries], kept)
                self.assertEqual(skipped, 0 if torn == whole[:-1] else 1)
                self.assertEqual("skipped" in self.icelock("history").stderr, skipped > 0)
                self.icelock("revert", "--reason", "after it")
                self.assertEqual(self.history()[0][-1]["reason"], "after it")
                self.assertEqual((len(self.history()[0]), self.history()[1]), (len(kept) + 1, skipped))
                self.icelock("apply", "--yes")

    def test_killed_at_any_moment_no_earlier_line_is_lost(self):
        if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode:
            self.skipTest("strace cannot trace here")
        self.icelock("apply", "--yes", "--reason", "first")
        for call in ("fchmod", "write", "fsync"):
            for number in range(1, 200):
                ran = subprocess.run(
                    ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                     f"inject={call}:signal=KILL:when={number}", PROGRAM, "revert", "--root", self.root],
                    capture_output=True, check=False)
                entries, _ = self.history(user=NOBODY, group=NOBODY, extra_groups=[])
                self.assertEqual(entries[0]["reason"], "first")
                self.icelock("apply", "--yes")
                if ran.returncode != -signal.SIGKILL and ran.returncode != 137:
                    break
            self.assertGreater(number, 2, f"{call} was hardly seen")

    def test_it_does_not_grow_for_ever(self):
        self.icelock("apply", "--yes", "--reason", "the first")
        line = self.read()
        count = (256 << 10) // len(line)
        self.machine.write(FILE, line * count)
        self.icelock("revert", "--reason", "the last")
        entries, skipped = self.history()
        self.assertEqual((entries[0]["reason"], entries[-1]["reason"], skipped), ("the first", "the last", 0))
        self.assertLess(len(entries), count * 0.6)
        self.assertGreater(len(entries), count * 0.4)

    def test_what_cannot_be_written_is_said_and_nothing_is_undone(self):
        os.makedirs(self.machine.at(FILE))
        ran = self.icelock("apply", "--yes")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stderr, re.compile("not in the history.*history.jsonl"))
        self.assertEqual(json.loads(self.icelock("plan", "--json").stdout)["pending"], False)
        os.rmdir(self.machine.at(FILE))
        self.machine.link(FILE, "/etc/passwd")
        self.assertRegex(self.icelock("revert").stderr, "symlink")
        self.assertEqual(self.icelock("history").returncode, 6)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root, to be several users")
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    unittest.main()
