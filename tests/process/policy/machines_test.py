#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""icelock on hostile and odd machines: the plan tells the truth, apply changes that and nothing else, revert
restores every byte, the audit always ends with an answer.

usage: machines_test.py [-v] [--random N]    (ICELOCK_BIN: where the programs are)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import trees

PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
RANDOM = int(os.environ.get("ICELOCK_MACHINES", "60"))


def run(root, *words):
    ran = subprocess.run([PROGRAM, *words, "--json", "--root", root], capture_output=True,
                         timeout=60, check=False)
    return ran.returncode, json.loads(ran.stdout)


def changed_paths(before, after):
    """Of what icelock itself left staged when it was killed, and its ledger, it may dispose."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
            and not os.path.basename(path).startswith(".icelock-")}


class Machines(unittest.TestCase):
    def setUp(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="icelock-machines-", dir=base)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def root(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path, 0o755)
        return path

    def go_round(self, root, *words):
        """plan, apply, audit, revert; what each says against what is on the disk."""
        start = trees.snapshot(root)
        code, plan = run(root, "plan", *words)
        self.assertEqual(trees.snapshot(root), start, "plan changed something")
        audit_code, audit = run(root, "audit")
        self.assertIn(audit_code, (0, 4))
        self.assertEqual(trees.snapshot(root), start, "audit changed something")
        applied_code, applied = run(root, "apply", "--yes", *words)
        after = trees.snapshot(root)
        if code not in (0, 2):
            self.assertFalse(plan["ok"])
            self.assertEqual(applied["code"], plan["code"])
            self.assertEqual(after, start, "a refused apply changed something")
            return "refused"
        if not applied["ok"]:  # the plan reads only; what is unsafe to write is found then
            self.assertEqual(after, start, "a failed apply changed something")
            return "refused"
        self.assertIn(applied_code, (0, 4))
        self.check_plan(root, plan, start, after)
        audit_code, audit = run(root, "audit")
        # What apply could not achieve the audit says too, and the other way round.
        self.assertEqual(bool(applied["problems"]), audit["drift"], audit["findings"])
        self.assertEqual(run(root, "apply", "--yes", *words)[1]["done"], True)
        before_revert = trees.snapshot(root)
        code, reverted = run(root, "revert")
        end = trees.snapshot(root)
        self.assertNotIn("var/lib/icelock/ledger.json" if code == 0 else "", end)
        if code != 0:
            self.assertEqual(end, before_revert, "a refused revert changed something")
            return "kept"
        own = {path for path in start.keys() | end.keys() if path.startswith("var/lib/icelock")}
        self.assertEqual(changed_paths(start, end) - own, set(), "revert left traces")
        return "restored"

    def check_plan(self, root, plan, start, after):
        promised = {os.path.relpath(change["path"], root): change for change in plan["changes"]
                    if change["kind"] != "none"}
        new_folders = set()
        for path in promised:
            while path := os.path.dirname(path):
                new_folders.add(path)
        mine = {path for path in after if path.startswith("var/lib/icelock")}
        for path in changed_paths(start, after) - mine:
            self.assertTrue(path in promised or (path in new_folders and path not in start), path)
        for path, change in promised.items():
            self.assertEqual(after[path][-1].decode("utf-8"), change["after"])
            old = start.get(path)
            self.assertEqual(change["kind"], "replace" if old else "create")

    def test_odd_machines(self):
        outcomes = {}
        for number, (name, make) in enumerate(trees.ODD.items()):
            with self.subTest(name):
                root = self.root(str(number))
                make(trees.Machine(root))
                outcomes[name] = self.go_round(root)
        for outcome in ("refused", "kept"):
            print(f"{len(outcomes)} odd machines, {outcome}: "
                  + ", ".join(n for n, o in outcomes.items() if o == outcome))
        self.assertEqual([n for n, o in outcomes.items() if o == "kept"], ["ledger of a foreign file"])
        for name in ("broken firefox", "symlinked own file", "folder for all to write", "fifo as own file",
                     "newer ledger", "firefox list", "key twice firefox"):
            self.assertEqual(outcomes[name], "refused", name)
        for name in ("nothing", "broken", "crlf and tabs", "500 files", "5000 lines firefox", "later name"):
            self.assertEqual(outcomes[name], "restored", name)

    def test_random_machines(self):
        outcomes = []
        for seed in range(RANDOM):
            with self.subTest(seed=seed):
                root = self.root(f"r{seed}")
                _, _, rng = trees.random_machine(root, seed)
                level = rng.choice(["unrestricted", "default_route_only", "force_proxy", "disabled"])
                words = ["--level", level]
                if seed % 2:
                    words = [os.path.join(self.folder, "policy.json")]
                    with open(words[0], "w", encoding="utf-8") as file:
                        json.dump(trees.random_document(rng), file)
                outcomes.append(self.go_round(root, *words))
                shutil.rmtree(root)
        print(f"{len(outcomes)} random machines, {outcomes.count('restored')} restored")
        self.assertGreater(outcomes.count("restored"), RANDOM // 3)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root, because files of others are unsafe")
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    unittest.main()
