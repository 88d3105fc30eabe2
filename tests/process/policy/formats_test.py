#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What others' programs read: SARIF against its published shape, and the alert rules against Prometheus' own.

(ICELOCK_BIN: where the programs are; promtool, where it is installed, judges the rules too)
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

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}: install python3-jsonschema and python3-yaml")
    sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "../../../policies/prometheus-alerts.yml")
PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
DURATION = re.compile(r"^(\d+(ms|s|m|h|d|w|y))+$")


def audit(form, *prepare):
    with tempfile.TemporaryDirectory(prefix="icelock-formats-") as root:
        os.chmod(root, 0o755)
        for make in prepare:
            make(trees.Machine(root))
        return subprocess.run([PROGRAM, "audit", form, "--root", root], capture_output=True, text=True,
                              timeout=60, check=False).stdout


class Sarif(unittest.TestCase):
    def test_every_odd_machine_gives_valid_sarif(self):
        with open(os.path.join(HERE, "sarif-2.1.0.subset.json"), encoding="utf-8") as file:
            validator = jsonschema.Draft7Validator(json.load(file))
        seen = set()
        for name, make in trees.ODD.items():
            with self.subTest(name):
                log = json.loads(audit("--sarif", make))
                self.assertEqual([error.message for error in validator.iter_errors(log)], [])
                rules = log["runs"][0]["tool"]["driver"]["rules"]
                for result in log["runs"][0]["results"]:
                    self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
                    seen.add(result["ruleId"])
        self.assertGreater(len(seen), 10)


class Alerts(unittest.TestCase):
    def test_the_rules_have_the_shape_that_prometheus_takes(self):
        with open(RULES, encoding="utf-8") as file:
            document = yaml.safe_load(file)
        self.assertEqual(set(document), {"groups"})
        for group in document["groups"]:
            self.assertLessEqual(set(group), {"name", "interval", "limit", "rules"})
            for rule in group["rules"]:
                self.assertLessEqual(set(rule), {"alert", "expr", "for", "keep_firing_for", "labels",
                                                 "annotations"})
                self.assertRegex(rule["alert"], r"^[A-Za-z_]\w*$")
                self.assertIsInstance(rule["expr"], str)
                self.assertRegex(rule.get("for", "1m"), DURATION)
                for texts in (rule.get("labels", {}), rule["annotations"]):
                    for label, text in texts.items():
                        self.assertRegex(label, r"^[A-Za-z_]\w*$")
                        self.assertIsInstance(text, str)
                        self.assertEqual(text.count("{{"), text.count("}}"))

    def test_a_machine_that_tells_nothing_and_one_that_stopped_both_alert(self):
        with open(RULES, encoding="utf-8") as file:
            rules = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(file)["groups"][0]["rules"]}
        self.assertRegex(rules["IcelockAuditStale"], r"^time\(\) - icelock_audit_time_seconds > \d+$")
        self.assertRegex(rules["IcelockAuditMissing"], r"^up\{.*\} == 1 unless on \(instance\) icelock_audit_time_seconds$")

    def test_promtool_takes_them(self):
        promtool = os.environ.get("ICELOCK_PROMTOOL") or shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool (Debian package prometheus) is not installed")
        ran = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        ran = subprocess.run([promtool, "check", "metrics"], input=audit("--prometheus", trees.ODD["broken"]),
                             capture_output=True, text=True, check=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
