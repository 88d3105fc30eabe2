#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `icelock predict` says of networks that a user without any right built: a card, a second one, and a tunnel that
this process holds open. Exit 77: cannot run here."""

import json
import os
import subprocess
import unittest
from pathlib import Path

from lone_network import CARD4, CARD6, PROGRAM, TUNNEL4, Case, main

LEVELS = ["unrestricted", "default_route_only", "force_proxy", "disabled"]


class PredictTest(Case):
    def run_predict(self, *options):
        return subprocess.run([PROGRAM, "predict", "--root", self.folder.name, *options], text=True,
                              capture_output=True, check=False, env=self.environment())

    def predict(self, *options):
        result = self.run_predict("--json", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def cells(self, prediction):
        """{(family, level, permission): {class: exposure}}"""
        return {(family["family"], cell["level"], cell["permission"]):
                {exposure["class"]: exposure for exposure in cell["exposures"]}
                for family in prediction["families"] for cell in family["levels"]}

    def test_every_family_level_and_permission_is_there_once(self):
        prediction = self.predict()
        self.assertEqual(prediction["v"], 1)
        cells = [(family["family"], cell["level"], cell["permission"])
                 for family in prediction["families"] for cell in family["levels"]]
        self.assertEqual(sorted(cells), sorted(
            (family, level, permission) for family in ("chromium", "firefox") for level in LEVELS
            for permission in ("none", "granted")))

    def test_without_a_vpn_nothing_is_protected(self):
        prediction = self.predict()
        self.assertEqual([family["auto"] for family in prediction["families"]], ["unrestricted"] * 2)
        self.assertEqual(prediction["reasons"][0]["code"], "no_tunnel")
        exposures = [exposure for cell in self.cells(prediction).values() for exposure in cell.values()]
        self.assertTrue(exposures)
        self.assertFalse(any(exposure["protected"] for exposure in exposures))

    def test_ipv4_tunnel_beside_native_ipv6(self):
        self.raise_tunnel()
        prediction = self.predict()
        self.assertEqual(prediction["network"]["ipv4"]["verdict"], "tunnel")
        self.assertEqual(prediction["network"]["ipv6"]["verdict"], "direct")
        self.assertEqual([family["auto"] for family in prediction["families"]], ["force_proxy"] * 2)
        self.assertEqual(prediction["reasons"][0]["code"], "ipv6_outside_tunnel")
        cells = self.cells(prediction)
        plain = cells["chromium", "unrestricted", "none"]
        self.assertEqual(plain["isp_v6"], {
            "class": "isp_v6", "channel": "script", "address": CARD6, "link": "card0",
            "http_shows_too": False, "protected": True})
        self.assertEqual(plain["egress"]["address"], "")  # only the outside knows it
        self.assertFalse(plain["egress"]["protected"])
        granted = cells["chromium", "unrestricted", "granted"]
        self.assertEqual((granted["lan"]["address"], granted["lan"]["protected"]), (CARD4, True))
        self.assertEqual((granted["tunnel"]["address"], granted["tunnel"]["protected"]), (TUNNEL4, False))
        locked = cells["chromium", "force_proxy", "granted"]
        self.assertTrue(locked["isp_v6"]["http_shows_too"])
        self.assertFalse(locked["isp_v6"]["protected"])
        self.assertEqual(cells["firefox", "force_proxy", "granted"], {})

    def test_the_text_names_leak_cause_and_level(self):
        self.raise_tunnel()
        text = self.run_predict().stdout
        self.assertIn("VPN tun0 carries no IPv6; card0 routes it.", text)
        self.assertIn(f"LEAK  your provider's IPv6 address {CARD6}, over card0", text)
        self.assertEqual(text.count("force_proxy   <- auto picks this"), 2)
        self.assertNotIn("\x1b", text)

    def test_root_that_cannot_be_left_gathers_nothing(self):
        # In this namespace there is nobody else that root could become.
        result = self.run_predict("--json", "--stun", "192.0.2.1")
        self.assertEqual(result.returncode, 1)
        answer = json.loads(result.stdout)
        self.assertEqual((answer["code"], result.stderr), ("unavailable", ""))
        self.assertIn("root may not gather", answer["what"])

    def test_auto_is_never_below_the_floor_and_does_not_ask_the_mode(self):
        settings = Path(self.folder.name, "etc/icelock/icelock.json")
        settings.parent.mkdir(parents=True)
        settings.write_text('{"mode": "open", "floor": "default_route_only"}', encoding="utf-8")
        prediction = self.predict()
        self.assertEqual([family["auto"] for family in prediction["families"]],
                         ["default_route_only"] * 2)


if __name__ == "__main__":
    main()
