#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A policy document through the outer door: plan, apply of that plan alone, revert, and what is refused.

(ICELOCK_BIN: where the programs are)
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import trees

PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
DOCUMENT = {"level": "force_proxy", "browsers": {"edge": "default_route_only"},
            "sites": [{"pattern": "meet.example"}, {"pattern": "[*.]corp.example",
                                                    "level": "unrestricted"}]}


class Document(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="icelock-document-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.root = os.path.join(self.folder, "root")
        self.machine = trees.Machine(self.root)

    def run_verb(self, verb, document=None, *words):
        words = [verb, "--json", "--root", self.root, *words]
        if document is not None:
            path = os.path.join(self.folder, "policy.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write(document if isinstance(document, str) else json.dumps(document))
            words.append(path)
        ran = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, json.loads(ran.stdout)

    def read(self, path):
        with open(self.machine.at(path), encoding="utf-8") as file:
            return json.load(file)

    def test_each_browser_gets_its_own_and_revert_takes_all_back(self):
        self.machine.firefox('{"policies": {"DisableTelemetry": true}}')
        start = trees.snapshot(self.root)
        code, plan = self.run_verb("plan", DOCUMENT)
        self.assertEqual((code, trees.snapshot(self.root)), (2, start))
        code, _ = self.run_verb("apply", DOCUMENT, "--plan", plan["fingerprint"])
        self.assertEqual(code, 0)
        self.assertEqual(self.read(f"{trees.CHROMIUM}/{trees.OWN}"), {
            "WebRtcIPHandling": "disable_non_proxied_udp",
            "WebRtcIPHandlingUrl": [
                {"url": "https://meet.example", "handling": "default_public_interface_only"},
                {"url": "https://[*.]corp.example", "handling": "default"}]})
        edge = self.read(f"{trees.FOLDERS['edge']}/{trees.OWN}")
        self.assertEqual(edge["WebRtcLocalhostIpHandling"], "default_public_interface_only")
        self.assertEqual(edge["WebRtcIPHandlingUrl"][-1]["url"], "*")
        self.assertTrue(self.read(trees.FIREFOX)["policies"]["DisableTelemetry"])
        code, audit = self.run_verb("audit")
        self.assertEqual((code, audit["drift"]), (0, False), audit)
        self.assertEqual(self.run_verb("plan", DOCUMENT)[0], 0)
        self.assertEqual(self.run_verb("revert")[0], 0)
        self.assertEqual(trees.left(self.root), start)

    def test_apply_is_held_to_the_plan(self):
        _, plan = self.run_verb("plan", DOCUMENT)
        self.machine.chromium(trees.OWN, '{"WebRtcIPHandling": "default"}')
        start = trees.snapshot(self.root)
        code, answer = self.run_verb("apply", DOCUMENT, "--plan", plan["fingerprint"])
        self.assertEqual((code, answer["code"]), (6, "changed"))
        self.assertEqual(trees.snapshot(self.root), start)

    def test_wrong_documents_are_refused_with_key_and_line(self):
        start = trees.snapshot(self.root)
        for document, word in (('{\n"levl": "force_proxy"}', "levl"),
                               ({"level": "locked"}, "level"),
                               ({"browsers": {"lynx": "force_proxy"}}, "browsers"),
                               ({"browsers": {}}, "browsers"),
                               ({"sites": []}, "schema"),
                               ({"level": "disabled", "sites": [{"pattern": "*.example"}]}, "sites"),
                               ('{"level": "disabled", "level": "unrestricted"}', "level"),
                               ("[]", "object"), ("{", "JSON")):
            for verb in ("plan", "apply"):
                code, answer = self.run_verb(verb, document)
                self.assertEqual((code, answer["code"]), (6, "bad_settings"), document)
                self.assertIn(word, answer["what"])
                self.assertRegex(answer["object"], r"policy\.json:\d+$")
        self.assertEqual(trees.snapshot(self.root), start)

    def test_only_browsers_that_are_chosen_or_there(self):
        _, plan = self.run_verb("plan", DOCUMENT, "--browser", "brave")
        self.assertEqual([change["browser"] for change in plan["changes"]], ["brave"])
        code, answer = self.run_verb("plan", {"browsers": {"edge": "disabled"}}, "--browser", "brave")
        self.assertEqual((code, answer["code"]), (1, "not_found"))


if __name__ == "__main__":
    unittest.main()
