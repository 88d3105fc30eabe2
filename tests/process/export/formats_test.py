#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each export format: the bytes as checked in, the same twice, and what an independent reader finds in them.

(ICELOCK_BIN: where the programs are; ICELOCK_GOLDEN=write: write the files in golden/ anew)
"""

import csv
import io
import json
import os
import plistlib
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

import readers

PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
HERE = Path(__file__).resolve().parent
ROLE = HERE.parents[2] / "policies/ansible"
SINGLE = ["json", "reg", "reg-undo", "intune", "macos"]
FOLDERS = ["linux", "gpo", "ansible", "chrome-cloud"]
DOCUMENT = {"level": "force_proxy", "browsers": {"edge": "default_route_only", "firefox": "disabled"},
            "sites": [{"pattern": "meet.example"}, {"pattern": "[*.]corp.example", "level": "unrestricted"}],
            "extension": {"chromium": {"updateUrl": "https://x.example/u.xml"},
                          "firefox": {"installUrl": "https://x.example/i.xpi"},
                          "settings": {"mode": "locked", "stunServers": ["stun.example"]}}}
BROWSERS = list(readers.REGISTRY)


def missing(*modules):
    """Whether a reader of others is not installed; with ICELOCK_REQUIRE=1 that is a failure."""
    lost = [name for name in modules if subprocess.run(
        ["/usr/bin/python3", "-c", f"import {name}"], capture_output=True, check=False).returncode]
    return lost and os.environ.get("ICELOCK_REQUIRE") != "1"


class Formats(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="icelock-export-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.document = self.folder / "policy.json"
        self.document.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    def run_export(self, *words, code=0):
        """As a user with no home and nothing else of the machine."""
        ran = subprocess.run([PROGRAM, "export", *map(str, words)], capture_output=True, timeout=60, check=False,
                             env={"PATH": "/nowhere", "TMPDIR": str(self.folder)})
        self.assertEqual(ran.returncode, code, ran.stderr.decode())
        return ran

    def export(self, name, *words):
        """The files of an export of the document, by path."""
        if name in SINGLE:
            return {name: self.run_export(name, *words, self.document).stdout}
        out = Path(tempfile.mkdtemp(dir=self.folder)) / "out"
        self.run_export(name, *words, self.document, "-o", out)
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def rendered(self):
        return {browser: row["policies"] for browser, row in json.loads(
            self.export("json")["json"])["browsers"].items()}

    def test_the_bytes_are_as_checked_in_and_the_same_twice(self):
        for name in SINGLE + FOLDERS:
            files = self.export(name)
            self.assertEqual(files, self.export(name), name)
            for path, data in files.items():
                if name == "ansible" and path != "files/policy.json":
                    self.assertEqual(data, (ROLE / path).read_bytes(), path)
                    continue
                golden = HERE / "golden" / (name if name in SINGLE else f"{name}/{path}")
                if os.environ.get("ICELOCK_GOLDEN") == "write":
                    golden.parent.mkdir(parents=True, exist_ok=True)
                    golden.write_bytes(data)
                self.assertEqual(data, golden.read_bytes(), golden)
            if name == "ansible":
                self.assertEqual(set(files) - {"files/policy.json"}, {
                    path.relative_to(ROLE).as_posix() for path in ROLE.rglob("*") if path.is_file()})

    def test_each_browser_has_the_handling_of_its_level(self):
        rendered = self.rendered()
        self.assertEqual(sorted(rendered), sorted(BROWSERS))
        for browser, key in readers.LEVEL_KEY.items():
            wanted = "default_public_interface_only" if browser == "edge" else "disable_non_proxied_udp"
            self.assertEqual(rendered[browser][key], wanted)
            self.assertEqual(rendered[browser]["WebRtcIPHandlingUrl"][-1],
                             {"url": "*", "handling": wanted} if browser == "edge" else
                             {"url": "https://[*.]corp.example", "handling": "default"})
        self.assertIs(rendered["firefox"]["Preferences"]["media.peerconnection.enabled"]["Value"], False)

    def test_linux_is_what_apply_writes_on_a_machine_with_none(self):
        root = self.folder / "root"
        for folder in ("etc", "var/lib"):
            (root / folder).mkdir(parents=True)
        subprocess.run([PROGRAM, "apply", "--yes", "--root", root, *[word for each in BROWSERS for word in ("--browser", each)],
                        self.document], check=True, capture_output=True)
        applied = {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "etc").rglob("*")
                   if path.is_file()}
        self.assertEqual(self.export("linux"), applied)
        self.assertEqual({f"/{path}": data for path, data in applied.items()}, {
            file["path"]: file["content"].encode() for file in json.loads(
                self.export("ansible")["files/policy.json"])["files"]})
        self.assertEqual({path: data.decode() for path, data in applied.items()},
                         json.loads(self.export("json")["json"])["linux_files"])

    def test_registry_file_and_its_undo(self):
        values = readers.registry_file(self.export("reg")["reg"])
        for browser, policies in self.rendered().items():
            self.assertEqual(readers.as_browser(browser, values), policies)
        undo = readers.registry_file(self.export("reg-undo")["reg-undo"])
        self.assertEqual(undo, dict.fromkeys(values))

    def test_registry_pol_by_two_readers_and_its_table(self):
        files = self.export("gpo")
        values = readers.registry_pol(files["Machine/registry.pol"])
        self.assertEqual(values, readers.registry_file(self.export("reg")["reg"]))
        kinds = {"REG_SZ": 1, "REG_DWORD": 4, "REG_MULTI_SZ": 7}
        rows = list(csv.DictReader(io.StringIO(files["values.csv"].decode(), newline="")))
        self.assertEqual({(row["key"], row["value"]): (kinds[row["type"]], row["data"]) for row in rows},
                         {place: (kind, value[0] if kind == 7 else str(value))
                          for place, (kind, value) in values.items()})
        if missing("samba.dcerpc.preg"):
            self.skipTest("python3-samba is not installed")
        from samba.dcerpc import preg  # pylint: disable=import-outside-toplevel
        from samba.ndr import ndr_unpack  # pylint: disable=import-outside-toplevel
        read = ndr_unpack(preg.file, files["Machine/registry.pol"])  # held: its entries do not hold it
        theirs = {(each.keyname, each.valuename): (each.type, readers.multi(each.data) if each.type == 7 else each.data)
                  for each in read.entries}
        self.assertEqual(theirs, values)

    def test_profile_for_macos(self):
        data = self.export("macos")["macos"]
        profile = plistlib.loads(data)
        payloads = {each["PayloadType"]: each for each in profile["PayloadContent"]}
        own = {"PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID", "PayloadDisplayName"}
        for browser, policies in self.rendered().items():
            domain = readers.DOMAIN[browser]
            found = {key: value for key, value in payloads.pop(domain).items() if key not in own}
            if browser == "firefox":
                self.assertIs(found.pop("EnterprisePoliciesEnabled"), True)
            else:
                found["3rdparty"] = {"extensions": {
                    extension: {key: value for key, value in payloads.pop(f"{domain}.extensions.{extension}").items()
                                if key not in own} for extension in found["ExtensionSettings"]}}
            self.assertEqual(found, policies)
        self.assertEqual(payloads, {})
        every = [profile, *profile["PayloadContent"]]
        for name in ("PayloadUUID", "PayloadIdentifier"):
            self.assertEqual(len({each[name] for each in every}), len(every))
        for each in every:
            self.assertRegex(each["PayloadUUID"], r"^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$")
        other = plistlib.loads(self.run_export("macos", "--level", "disabled").stdout)
        self.assertNotEqual(profile["PayloadUUID"], other["PayloadUUID"])
        self.assertEqual(profile["PayloadIdentifier"], other["PayloadIdentifier"])
        if shutil.which("xmllint"):
            subprocess.run(["xmllint", "--noout", "--nonet", "-"], input=data, check=True)
        elif os.environ.get("ICELOCK_REQUIRE") == "1":
            self.fail("xmllint (libxml2-utils) is not installed")

    def test_intune_profile(self):
        profile = json.loads(self.export("intune")["intune"])
        self.assertEqual(profile["@odata.type"], "#microsoft.graph.windows10CustomConfiguration")
        self.assertTrue(profile["displayName"])
        found = {}
        for each in profile["omaSettings"]:
            self.assertEqual(each["@odata.type"], "#microsoft.graph.omaSettingString")
            start, area, policy = each["omaUri"].rsplit("/", 2)
            self.assertEqual(start, "./Device/Vendor/MSFT/Policy/Config")
            value = xml.etree.ElementTree.fromstring(f"<all>{each['value']}</all>")
            self.assertEqual([node.tag for node in value], ["enabled", "data"])
            found[area, policy] = (value[1].get("id"), value[1].get("value"))
        rendered = self.rendered()
        # The areas and ids as the vendors' documents have them, or by their rule: docs/admin.md says which.
        self.assertEqual({key: (name, value if value[:1] not in "[{" else json.loads(value))
                          for key, (name, value) in found.items()}, {
            (area, policy): (name or policy, rendered[browser][policy])
            for browser, area, policy, name in (
                ("chrome", "Chrome~Policy~googlechrome~WebRtc", "WebRtcIPHandling", None),
                ("chrome", "Chrome~Policy~googlechrome~WebRtc", "WebRtcIPHandlingUrl", None),
                ("edge", "Edge~Policy~microsoft_edge~WebRtc", "WebRtcLocalhostIpHandling", None),
                ("edge", "Edge~Policy~microsoft_edge~WebRtc", "WebRtcIPHandlingUrl", None),
                ("chrome", "Chrome~Policy~googlechrome~Extensions", "ExtensionSettings", None),
                ("edge", "Edge~Policy~microsoft_edge~Extensions", "ExtensionSettings", None),
                ("firefox", "Firefox~Policy~firefox~Extensions", "ExtensionSettings", "JSON"),
                ("firefox", "Firefox~Policy~firefox", "Preferences", "JSON"))})

    def test_cloud(self):
        rendered = self.rendered()
        self.assertEqual({name: json.loads(data) for name, data in self.export("chrome-cloud").items()},
                         {f"{browser}.json": {name: value for name, value in rendered[browser].items()
                                              if name != "3rdparty"} for browser in ("chrome", "edge")})

    def test_notes_say_what_a_format_cannot_hold(self):
        for name, words, count in (("chrome-cloud", b"settings of extensions are left out", 1),
                                   ("chrome-cloud", b"exceptions for sites need Chromium 133", 1),
                                   ("chrome-cloud", b"signed", 0), ("linux", b"exceptions for sites need", 5),
                                   ("intune", b"ExtensionSettings is one value", 1),
                                   ("linux", b"ExtensionSettings is one value", 1),
                                   ("ansible", b"ExtensionSettings is one value", 0)):
            told = self.run_export(name, self.document, "-o", self.folder / f"{name}{words[:3]}").stderr
            self.assertEqual(told.count(words), count, (name, told.decode()))

    def test_only_the_browsers_that_are_meant(self):
        only = json.loads(self.export("json", "--browser", "brave")["json"])
        self.assertEqual(list(only["browsers"]), ["brave"])
        self.document.write_text(json.dumps({"browsers": {"vivaldi": "disabled"}}), encoding="utf-8")
        only = json.loads(self.export("json")["json"])
        self.assertEqual(list(only["browsers"]), ["vivaldi"])
        self.assertIn("no policy that switches WebRTC off", only["notes"][0])
        self.assertIn(b"[not_found]", self.run_export("chrome-cloud", self.document, "-o", self.folder / "x",
                                                      code=1).stderr)

    def test_what_is_refused_leaves_nothing_behind(self):
        full = self.folder / "full"
        (full / "mine").mkdir(parents=True)
        self.assertIn(b"does not replace", self.run_export("linux", self.document, "-o", full, code=64).stderr)
        self.assertEqual([path.name for path in full.iterdir()], ["mine"])
        self.assertIn(b"name a folder with -o", self.run_export("gpo", self.document, code=64).stderr)
        self.assertEqual(self.run_export("pdf", code=64).stdout, b"")
        self.document.write_text('{"levl": "disabled"}', encoding="utf-8")
        told = json.loads(self.run_export("json", "--json", self.document, code=6).stdout)
        self.assertEqual((told["ok"], told["code"]), (False, "bad_settings"))
        (self.folder / "file").write_text("x", encoding="utf-8")
        self.document.write_text(json.dumps(DOCUMENT), encoding="utf-8")
        self.run_export("linux", self.document, "-o", self.folder / "file", code=64)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["file", "full", "policy.json"])

    def test_written_files_are_told(self):
        out = self.folder / "new/icelock.reg"
        told = json.loads(self.run_export("reg", "--json", self.document, "-o", out).stdout)
        self.assertEqual((told["ok"], told["files"]), (True, [str(out)]))
        self.assertEqual(out.read_bytes(), self.export("reg")["reg"])
        self.assertEqual(out.stat().st_mode & 0o777, 0o644)


if __name__ == "__main__":
    unittest.main()
