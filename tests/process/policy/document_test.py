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

SETTINGS = "etc/icelock/icelock.json"
GUARD = {"floor": "default_route_only", "hold": 90, "modes": ["auto", "locked"], "protected": ["lan"]}
ID = "abcdefghijklmnopabcdefghijklmnop"
EXTENSION = {"extension": {"chromium": {"updateUrl": "https://x.example/u.xml", "id": ID},
                           "firefox": {"installUrl": "https://x.example/i.xpi"}, "settings": {"mode": "locked"}}}
PRIVATE = "media.peerconnection.ice.proxy_only_if_pbmode"


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

    def apply_now(self, document):
        return self.run_verb("apply", document, "--yes")

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

    def test_nothing_is_written_that_was_not_planned(self):
        start = trees.snapshot(self.root)
        planned = self.run_verb("plan", DOCUMENT)
        self.assertEqual(self.run_verb("apply", DOCUMENT), planned)
        self.assertEqual(self.run_verb("apply", DOCUMENT, "--plan", "")[0], 2)
        self.assertEqual((planned[0], planned[1]["done"], trees.snapshot(self.root)), (2, False, start))

    def test_what_a_document_leaves_out_is_no_longer_said(self):
        own = f"{trees.CHROMIUM}/{trees.OWN}"
        edge = f"{trees.FOLDERS['edge']}/{trees.OWN}"
        steps = (({"level": "force_proxy", "browsers": {"edge": "disabled"}, "floor": "force_proxy"}, True, True, True),
                 ({"level": "force_proxy", "floor": "force_proxy"}, True, False, True),
                 ({"privateWindows": "force_proxy", "floor": "force_proxy"}, False, False, True),
                 ({"level": "default_route_only"}, True, False, False))
        self.machine.chromium("other.json", '{"HomepageLocation": "https://intranet.example"}')
        start = trees.left(self.root)
        for document, in_chromium, in_edge, in_settings in steps:
            with self.subTest(document):
                self.assertEqual(self.apply_now(document)[0], 0)
                self.assertEqual(("WebRtcIPHandling" in self.read(own), bool(self.read(edge)),
                                  "floor" in self.managed()), (in_chromium, in_edge, in_settings))
                self.assertEqual(self.run_verb("plan", document)[0], 0)
                self.assertEqual(self.run_verb("audit")[1]["drift"], False)
        self.assertEqual(self.run_verb("revert")[0], 0)
        self.assertEqual(trees.left(self.root), start)

    def test_a_browser_that_is_named_keeps_what_another_reads_too(self):
        document = {"browsers": {"vivaldi": "force_proxy"}, "sites": [{"pattern": "meet.example"}]}
        self.assertEqual(self.apply_now(document)[0], 0)
        own = self.read(f"{trees.CHROMIUM}/{trees.OWN}")
        self.assertEqual(own["WebRtcIPHandlingUrl"][0]["url"], "https://meet.example")
        self.assertEqual(self.run_verb("plan", document)[0], 0)

    def test_sites_stay_where_the_other_reader_of_the_file_is_no_longer_named(self):
        document = {"browsers": {"chromium": "force_proxy", "vivaldi": "force_proxy"},
                    "sites": [{"pattern": "meet.example"}]}
        self.assertEqual(self.apply_now(document)[0], 0)
        del document["browsers"]["vivaldi"]
        self.assertEqual(self.apply_now(document)[0], 0)
        self.assertIn("WebRtcIPHandlingUrl", self.read(f"{trees.CHROMIUM}/{trees.OWN}"))

    def test_a_choice_of_browsers_leaves_out_the_machines_settings_and_says_so(self):
        notes = lambda *words: str([change["notes"] for change in self.run_verb("plan", *words)[1]["changes"]])
        document = {"level": "force_proxy", **GUARD}
        self.assertIn("whole machine: floor, hold_seconds, modes, protected", notes(document, "--browser", "chromium"))
        self.assertNotIn("whole machine", notes(document))

    def test_a_stricter_floor_of_the_machine_is_named(self):
        self.machine.write(SETTINGS, '{"floor": "force_proxy"}')
        notes = lambda level: str([change["notes"] for change in self.run_verb("plan", {"level": level})[1]["changes"]])
        self.assertIn("stricter floor of /etc/icelock/icelock.json, force_proxy", notes("default_route_only"))
        self.assertNotIn("floor", notes("force_proxy"))

    def test_an_own_extension_is_added_to_those_that_the_admin_listed(self):
        theirs = "p" * 32
        self.machine.write(SETTINGS, json.dumps({"extensions": [theirs]}))
        self.assertEqual(self.apply_now(EXTENSION)[0], 0)
        self.assertEqual(self.managed()["extensions"], [theirs, ID])
        self.assertEqual(self.run_verb("plan", EXTENSION)[0], 0)
        self.assertEqual(self.run_verb("revert")[0], 0)
        self.assertEqual(self.managed()["extensions"], [theirs])

    def test_where_the_service_writes_the_policies_a_plan_says_so_too(self):
        self.machine.write(SETTINGS, '{"manage_policies": true}')
        for words in ((DOCUMENT,), (None, "--level", "force_proxy")):
            for verb in (("plan",), ("apply", "--yes")):
                code, answer = self.run_verb(verb[0], *words, *verb[1:])
                self.assertEqual((code, answer["code"]), (1, "busy"), (verb, words))
        self.assertEqual(self.run_verb("plan", {"floor": "force_proxy"})[0], 2)

    def test_who_cannot_see_all_is_sent_to_root_for_the_plan(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.apply_now({"level": "force_proxy"})
        os.chmod(self.folder, 0o755)
        path = os.path.join(self.folder, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"privateWindows": "force_proxy"}, file)
        for user, words, others in ((65534, f"sudo icelock plan {path} --root", "--plan "), (0, "--plan ", "sudo")):
            said = subprocess.run([PROGRAM, "plan", "--root", self.root, path], capture_output=True, text=True,
                                  check=False, timeout=60, user=user).stdout
            self.assertIn(words, said.splitlines()[-1])
            self.assertNotIn(others, said.splitlines()[-1])

    def test_a_users_own_files_are_never_written_for_another_root(self):
        home = os.path.join(self.folder, "home")
        os.mkdir(home)
        for verb in ("setup", "unsetup"):
            ran = subprocess.run([PROGRAM, verb, "--json", "--root", self.root], capture_output=True, text=True,
                                 check=False, timeout=60, env=os.environ | {"HOME": home})
            self.assertEqual((json.loads(ran.stdout)["code"], os.listdir(home)), ("bad_request", []))

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
                               ({"sites": []}, "sites and presets go with"),
                               ({"floor": "disabled", "presets": ["Zoom"]}, "sites and presets go with"),
                               ({"floor": "force_proxy", "level": "default_route_only"}, "looser than"),
                               ({"floor": "default_route_only", "level": "force_proxy", "sites": [
                                   {"pattern": "a.example", "level": "unrestricted"}]}, "looser than"),
                               ({"floor": "locked"}, "floor"), ({"hold": -1}, "hold"), ({"modes": []}, "modes"),
                               ({"protected": ["isp"]}, "protected"), ({"privateWindows": True}, "privateWindows"),
                               ({"extension": {}}, "extension"),
                               ({"extension": {"firefox": {"installUrl": "javascript:1"}}}, "extension"),
                               ({"extension": {"chromium": {"updateUrl": "https://x", "id": "A"}}}, "extension"),
                               ({"extension": {"firefox": {"installUrl": "https://x"},
                                               "settings": {"mod": "auto"}}}, "extension"),
                               ({"extension": {"firefox": {"installUrl": "https://x"},
                                               "settings": {"stunServers": ["a.example", "b\n[HKEY]"]}}}, "extension"),
                               ({"level": "disabled", "sites": [{"pattern": "*.example"}]}, "sites"),
                               ('{"level": "disabled", "level": "unrestricted"}', "level"),
                               ('{"browsers": {"edge": "disabled", "edge": "unrestricted"}}', "edge"),
                               ('{"level": "disabled", "sites": [{"pattern": "a.example"}, '
                                '{"pattern": "b.example", "pattern": "c.example"}]}', "pattern"),
                               ({"floor": "force_proxy", "extension": {
                                   **EXTENSION["extension"], "settings": {"floor": "unrestricted"}}}, "extension's"),
                               ({"modes": ["auto"], **EXTENSION}, "extension's"),
                               ("[]", "object"), ("{", "JSON")):
            for code, answer in (self.run_verb("plan", document), self.apply_now(document)):
                self.assertEqual((code, answer["code"]), (6, "bad_settings"), document)
                self.assertIn(word, answer["what"])
                self.assertRegex(answer["object"], r"policy\.json:\d+$")
        self.assertEqual(trees.snapshot(self.root), start)

    def test_the_field_and_the_line_that_are_wrong_are_named(self):
        for text, words, line in (
                ('{\n"extension": {\n"firefox": {"installUrl": "https://x"},\n"settings": {\n"mode": "lokked"}}}',
                 '"extension.settings.mode" is wrong', 5),
                ('{"level": "disabled",\n"sites": [{"pattern": "a.example"},\n{"pattern": "b.example", "level": 3}]}',
                 '"sites[1].level" is wrong', 2),
                ('{"level":\n"disabled",\n"": 1}', 'unknown key ""', 1),
                ('{"browsers": {\n"edge": "default"}}', '"browsers.edge" is wrong', 2),
                ('{"level": "disabled",\n"browsers": {"edge": "disabled",\n"edge": "disabled"}\n\n}', "stands twice", 3),
                ('{"level":\n' + '[' * 9 + ']' * 9 + '\n\n}', "too deep", 2),
                ('{"hold":\n"90"}', '"hold" must be a whole number', 1)):
            code, answer = self.run_verb("plan", text)
            self.assertEqual((code, answer["code"]), (6, "bad_settings"), text)
            self.assertIn(words, answer["what"])
            self.assertRegex(answer["object"], rf"policy\.json:{line}$")

    def test_only_browsers_that_are_chosen_or_there(self):
        _, plan = self.run_verb("plan", DOCUMENT, "--browser", "brave")
        self.assertEqual([change["browser"] for change in plan["changes"]], ["brave"])
        code, answer = self.run_verb("plan", {"browsers": {"edge": "disabled"}}, "--browser", "brave")
        self.assertEqual((code, answer["code"]), (1, "not_found"))

    def managed(self, path=SETTINGS):
        return self.read(path)

    def test_the_guards_fields_are_one_more_file_of_the_same_transaction(self):
        mine = '{"hold_seconds" : 5,\t"sites": []}'
        for before in (None, mine):
            with self.subTest(before):
                if before:
                    self.machine.write(SETTINGS, before)
                start = trees.left(self.root)
                code, plan = self.run_verb("plan", GUARD)
                change = next(each for each in plan["changes"] if each["browser"] == "icelock")
                self.assertEqual((code, change["kind"]), (2, "replace" if before else "create"))
                self.assertEqual(sorted(key["key"] for key in change["keys"]),
                                 ["floor", "hold_seconds", "modes", "protected"])
                self.assertEqual(self.run_verb("apply", GUARD, "--plan", plan["fingerprint"])[0], 0)
                found = self.managed()
                self.assertEqual([found[key] for key in ("floor", "hold_seconds", "modes", "protected")],
                                 ["default_route_only", 90, ["auto", "locked"], ["lan"]])
                self.assertEqual("sites" in found, before is not None, "the admin's own keys stay")
                self.assertEqual(self.run_verb("plan", GUARD)[0], 0)
                # A field that the next document leaves out is as it was before icelock.
                self.assertEqual(self.apply_now({"floor": "force_proxy"})[0], 0)
                self.assertEqual(self.managed(), {**json.loads(before or "{}"), "floor": "force_proxy"})
                self.assertEqual(self.run_verb("revert")[0], 0)
                self.assertEqual(trees.left(self.root), start)

    def test_a_settings_file_that_changed_meanwhile_is_refused_and_one_edited_since_kept(self):
        _, plan = self.run_verb("plan", GUARD)
        self.machine.write(SETTINGS, '{"hold_seconds": 7}')
        start = trees.left(self.root)
        code, answer = self.run_verb("apply", GUARD, "--plan", plan["fingerprint"])
        self.assertEqual((code, answer["code"], trees.left(self.root)), (6, "changed", start))
        self.apply_now(GUARD)
        self.machine.write(SETTINGS, json.dumps({**self.managed(), "floor": "disabled",
                                                 "manage_policies": False}))
        code, audit = self.run_verb("audit")
        self.assertEqual((code, [(each["id"], each["key"]) for each in audit["findings"]
                                 if each["severity"] == "error"]), (4, [("own_file_changed", "floor")]))
        self.assertEqual(self.run_verb("revert")[0], 0)
        self.assertEqual(self.managed(), {"hold_seconds": 7, "floor": "disabled", "manage_policies": False})
        self.machine.write(SETTINGS, '{"floor": ')
        self.assertEqual(self.apply_now(GUARD)[1]["code"], "bad_policy_file")

    def test_a_plan_whose_settings_the_guard_would_refuse_is_none(self):
        for text, word, line in (('{\n"hold": 5}', '"hold"', 2), ('{"hold_seconds": -1}', '"hold_seconds" must be', 1),
                                 ('{"sites": [{"pattern": "*.example"}]}', '"sites"', 1),
                                 ('{"floor": "locked", "$schema": 3}', '"$schema" must be', 1),
                                 (json.dumps({"$schema": "x" * 70000}), "64 KiB", 1)):
            with self.subTest(text[:40]):
                self.machine.write(SETTINGS, text)
                start = trees.snapshot(self.root)
                stated = {"floor": "default_route_only"}
                for code, answer in (self.run_verb("plan", stated), self.apply_now(stated)):
                    self.assertEqual((code, answer.get("code")), (6, "bad_settings"), answer)
                    self.assertIn(word, answer["what"])
                    self.assertEqual(answer["object"], f"{self.machine.at(SETTINGS)}:{line}")
                self.assertEqual(trees.snapshot(self.root), start)
        # What the document states itself may be the cure, and browsers are locked all the same.
        self.machine.write(SETTINGS, '{"floor": "locked"}')
        self.assertEqual(self.run_verb("plan", {"floor": "default_route_only"})[0], 2)
        self.assertEqual(self.apply_now({"level": "force_proxy"})[0], 0)

    def test_presets_become_exceptions_the_more_specific_first(self):
        self.apply_now({"level": "force_proxy", "presets": ["Zoom", "Jitsi Meet"],
                                "sites": [{"pattern": "call.zoom.us", "level": "unrestricted"}]})
        urls = [entry["url"] for entry in self.read(f"{trees.CHROMIUM}/{trees.OWN}")["WebRtcIPHandlingUrl"]]
        self.assertEqual(urls, ["https://call.zoom.us", "https://meet.jit.si", "https://8x8.vc",
                                "https://[*.]zoom.us"])
        code, answer = self.run_verb("plan", {"level": "force_proxy", "presets": ["Zoon"]})
        self.assertEqual((code, answer["code"]), (6, "bad_settings"))
        self.assertIn("Jitsi Meet", answer["what"])

    def test_private_windows(self):
        _, plan = self.apply_now({"level": "default_route_only", "privateWindows": "force_proxy"})
        pref = self.read(trees.FIREFOX)["policies"]["Preferences"][PRIVATE]
        self.assertEqual((pref["Value"], pref["Status"]), (True, "locked"))
        self.assertTrue(any("private windows" in note for change in plan["changes"]
                            if change["browser"] == "chromium" for note in change["notes"]))
        self.apply_now({"level": "default_route_only"})
        self.assertNotIn(PRIVATE, self.read(trees.FIREFOX)["policies"]["Preferences"])

    def test_the_extension_beside_those_of_other_admins(self):
        theirs = {"*": {"blocked_permissions": ["usb"]}, "c" * 32: {"installation_mode": "blocked"}}
        self.machine.chromium("10-corp.json", json.dumps({"ExtensionSettings": theirs}))
        self.machine.firefox(json.dumps({"policies": {"ExtensionSettings": {"o@x": {}}, "3rdparty": {
            "Extensions": {"o@x": {"a": 1}}}}}, indent=1))
        start = trees.snapshot(self.root)
        code, plan = self.run_verb("plan", EXTENSION)
        notes = " ".join(note for change in plan["changes"] for note in change["notes"])
        self.assertRegex(notes, "10-corp.json sets ExtensionSettings too; .* repeats its entries")
        self.assertIn("xpinstall.signatures.required", notes)
        self.assertEqual(self.run_verb("apply", EXTENSION, "--plan", plan["fingerprint"])[0], 0)
        own = self.read(f"{trees.CHROMIUM}/{trees.OWN}")
        self.assertNotIn("WebRtcIPHandling", own, "the extension must stay free to lock")
        self.assertEqual(own["ExtensionSettings"], {**theirs, ID: {
            "installation_mode": "force_installed", "update_url": "https://x.example/u.xml",
            "override_update_url": True}})
        self.assertEqual(own["3rdparty"], {"extensions": {ID: {"mode": "locked"}}})
        policies = self.read(trees.FIREFOX)["policies"]
        self.assertEqual(policies["ExtensionSettings"], {"o@x": {}, "icelock@icelock.extension": {
            "installation_mode": "force_installed", "install_url": "https://x.example/i.xpi"}})
        self.assertEqual(policies["3rdparty"]["Extensions"]["icelock@icelock.extension"], {"mode": "locked"})
        self.assertEqual(self.managed()["extensions"], [ID])
        self.assertEqual(self.run_verb("audit")[0], 0)
        self.assertEqual(self.run_verb("plan", EXTENSION)[0], 0)
        # Somebody's later file hides it, or ours hides what somebody added.
        self.machine.chromium("zzz.json", '{"ExtensionSettings": {}}')
        code, audit = self.run_verb("audit")
        self.assertIn("extension_missing", [each["id"] for each in audit["findings"]])
        code, applied = self.apply_now({**EXTENSION, "level": "force_proxy"})
        self.assertEqual((code, len(applied["problems"])), (4, 1), applied["problems"])
        os.unlink(self.machine.at(f"{trees.CHROMIUM}/zzz.json"))
        self.machine.chromium("10-corp.json", json.dumps({"ExtensionSettings": {**theirs, "d" * 32: {}}}))
        self.assertIn("d" * 32, json.dumps(self.run_verb("plan", EXTENSION)[1]))
        self.machine.chromium("10-corp.json", json.dumps({"ExtensionSettings": theirs}))
        # The extension alone again: the preferences of the level go.
        self.assertEqual(self.apply_now(EXTENSION)[0], 0)
        self.assertNotIn("Preferences", self.read(trees.FIREFOX)["policies"])
        self.assertEqual(self.run_verb("revert")[0], 0)
        self.assertEqual(trees.left(self.root), start)

    def test_another_file_that_takes_over_the_extension(self):
        forced = {"installation_mode": "force_installed", "update_url": "https://x.example/u.xml"}
        other = {**forced, "update_url": "https://y.example/u.xml"}
        missing, otherwise = ["extension_missing"], ["extension_settings_overridden"]
        self.apply_now({**EXTENSION, "level": "force_proxy"})
        for content, expected, word in (
                ({"ExtensionSettings": {}}, missing, "installation_mode is not set"),
                ({"ExtensionSettings": "x"}, missing, "installation_mode is not set"),
                ({"ExtensionSettings": {ID: {"installation_mode": "blocked"}}}, missing, '"blocked"'),
                ({"ExtensionSettings": {ID: {**forced, "installation_mode": "normal_installed"}}}, missing, "normal_"),
                ({"ExtensionSettings": {ID: other}}, missing, "y.example"),
                ({"ExtensionSettings": {"c" * 32 + ", " + ID: {"installation_mode": "removed"}}}, missing, "removed"),
                ({"ExtensionSettings": {"c" * 32: {}}, "ExtensionInstallForcelist": [f"{ID};https://y.example"]},
                 missing, "y.example"),
                ({"ExtensionSettings": {ID: forced}}, [], ""),
                ({"ExtensionSettings": {}, "ExtensionInstallForcelist": [f"{ID};https://x.example/u.xml"]}, [], ""),
                ({"ExtensionInstallForcelist": [f"{ID};https://y.example"]}, [], ""),  # ExtensionSettings outranks it
                ({"3rdparty": {"extensions": {ID: {"mode": "open"}}}}, otherwise, f"extensions.{ID}.mode is \"open\""),
                ({"3rdparty": {"extensions": {ID: {"mode": "locked", "floor": "disabled"}}}}, [], ""),
                ({"3rdparty": {"extensions": {"c" * 32: {"mode": "open"}}}}, [], ""),
                ({"ExtensionSettings": {}, "3rdparty": {"extensions": {ID: {"mode": "open"}}}}, missing + otherwise, "")):
            for name in ("zzz.json", "a.json"):
                with self.subTest(content=content, name=name):
                    self.machine.chromium(name, json.dumps(content))
                    wins = expected if name == "zzz.json" else []
                    _, audit = self.run_verb("audit")
                    found = [each for each in audit["findings"] if each["severity"] != "info"]
                    self.assertEqual([each["id"] for each in found], wins, found)
                    self.assertEqual(audit["drift"], bool(wins))
                    for each in found:
                        self.assertEqual(each["file"], self.machine.at(f"{trees.CHROMIUM}/{name}"))
                        self.assertIn(word, each["text"])
                    if not content.get("ExtensionSettings"):  # ours would repeat those entries
                        code, applied = self.apply_now({**EXTENSION, "level": "force_proxy"})
                        self.assertEqual((code, len(applied["problems"])), (4 if wins else 0, len(wins)), applied)
                    os.unlink(self.machine.at(f"{trees.CHROMIUM}/{name}"))

    def test_somebody_edits_what_firefox_is_told_of_the_extension(self):
        self.apply_now(EXTENSION)
        own = self.read(trees.FIREFOX)
        gecko = "icelock@icelock.extension"

        def edited(**keys):
            file = json.loads(json.dumps(own))
            file["policies"]["ExtensionSettings"][gecko].update(keys.pop("install", {}))
            file["policies"]["3rdparty"]["Extensions"][gecko].update(keys)
            self.machine.firefox(json.dumps(file))
            return [each["id"] for each in self.run_verb("audit")[1]["findings"]
                    if each["browser"] == "firefox" and each["severity"] == "error"]
        self.assertEqual(edited(), [])
        self.assertEqual(edited(floor="disabled"), ["own_file_changed"])
        self.assertEqual(edited(mode="open"), ["own_file_changed", "extension_settings_overridden"])
        for install in ({"installation_mode": "allowed"}, {"install_url": "https://y.example/i.xpi"}):
            self.assertEqual(edited(install=install), ["own_file_changed", "extension_missing"])
        os.unlink(self.machine.at(trees.FIREFOX))
        self.assertIn("extension_missing", [each["id"] for each in self.run_verb("audit")[1]["findings"]])

    def test_setup_lets_the_own_extension_reach_the_host(self):
        self.apply_now(EXTENSION)
        subprocess.run([PROGRAM, "setup", "--system", "--root", self.root], check=True, capture_output=True)
        manifest = self.read("etc/chromium/native-messaging-hosts/icelock.host.json")
        self.assertEqual(manifest["allowed_origins"][1:], [f"chrome-extension://{ID}/"])

    def test_the_plan_says_what_old_browsers_cannot(self):
        def notes(document=DOCUMENT):
            _, plan = self.run_verb("plan", document)
            return " ".join(note for change in plan["changes"] for note in change["notes"])
        self.assertIn("need Chromium 133; older ones ignore them", notes())
        self.assertIn("need Edge 135; older ones ignore them", notes())
        for version, words in (("156.0.8078.79-1~deb12u1", "need Chromium 133; 156.0.8078.79 is installed"),
                               ("120.0.1-1", "120.0.1 is installed, which is too old")):
            self.machine.write("var/lib/dpkg/status", "Package: chromium-sandbox\nStatus: install ok installed\n"
                               "Version: 1\n\nPackage: chromium\nStatus: install ok installed\nDepends: x\n"
                               f"Version: {version}\n\nPackage: zz\nVersion: 9\n")
            self.assertIn(words, notes())
        self.assertNotIn("need Chromium", notes({"level": "force_proxy"}))


if __name__ == "__main__":
    unittest.main()
