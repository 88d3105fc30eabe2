#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The role of `icelock export ansible`, run by the real ansible-playbook on several machines at once.

Each machine is a folder; its Python runs in a mount namespace in which the folder's /etc and /var/lib are the only
ones. (ICELOCK_BIN: where the programs are)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "policy"))
import trees  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
DOCUMENT = {"browsers": {"chromium": "force_proxy", "firefox": "force_proxy", "edge": "default_route_only"},
            "sites": [{"pattern": "meet.example"}]}
PROXY_ONLY = "media.peerconnection.ice.proxy_only"
INTERPRETER = """#!/bin/sh
exec unshare --mount --propagation private -- /bin/sh -ec '
  mount --bind "$0/etc" /etc
  mount --bind "$0/var/lib" /var/lib
  for folder in /usr/lib/firefox-esr /usr/lib/firefox; do
    [ ! -d $folder ] || mount --bind "$0/usr/lib/firefox-esr" $folder
  done
  exec /usr/bin/python3 "$@"' '{root}' "$@"
"""
PLAY = """
- hosts: all
  gather_facts: false
  roles: [icelock]
"""


def cannot():
    """Why this machine cannot run the test."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("ansible-playbook"):
        return "ansible-core is not installed"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "the kernel refuses new namespaces"
    return None


class Fleet:
    """Machines, and the role to run on them."""

    def __init__(self, folder):
        self.folder, self.machines = Path(folder), {}
        (self.folder / "play.yml").write_text(PLAY, encoding="utf-8")

    def machine(self, name, browsers=("chromium", "firefox")):
        root = self.folder / name
        made = self.machines[name] = trees.Machine(root, browsers)
        made.folder("usr/lib/firefox-esr/distribution")
        run = self.folder / f"python-{name}"
        run.write_text(INTERPRETER.replace("{root}", str(root)), encoding="utf-8")
        run.chmod(0o755)
        return made

    def export(self, document, name="roles/icelock"):
        path = self.folder / "policy.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        shutil.rmtree(self.folder / name, ignore_errors=True)
        subprocess.run([PROGRAM, "export", "ansible", path, "-o", self.folder / name], check=True, capture_output=True)

    def play(self, *words, hosts=None, **variables):
        """Host -> what the module said, and whether the play failed for it."""
        hosts = hosts or list(self.machines)
        inventory = self.folder / "hosts"
        inventory.write_text("".join(f"{name} ansible_connection=local ansible_python_interpreter="
                                     f"{self.folder}/python-{name}\n" for name in hosts), encoding="utf-8")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1",
               "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_LOCALHOST_WARNING": "false",
               "ANSIBLE_PIPELINING": "true"}
        ran = subprocess.run(["ansible-playbook", "-v", "-f", "8", "-i", inventory, "-e", json.dumps(variables), *words,
                              self.folder / "play.yml"], capture_output=True, text=True, timeout=120, check=False,
                             env=env, cwd=self.folder)
        task = ran.stdout.partition("TASK [icelock : Browser policy files]")[2].partition("\nTASK")[0]
        said = {host: json.loads(rest) for host, rest in re.findall(
            r"^\w+: \[(\w+)\](?:: FAILED!)? => (\{.*\})$", task, re.MULTILINE)}
        failed = dict(re.findall(r"^(\w+) +: .* failed=(\d+)", ran.stdout, re.MULTILINE))
        assert set(said) == set(failed) == set(hosts), ran.stdout + ran.stderr
        return {host: {**said[host], "failed": failed[host] != "0", "out": ran.stdout} for host in hosts}

    def snapshots(self):
        return {name: trees.snapshot(made.root) for name, made in self.machines.items()}


def changed(results):
    return {host for host, said in results.items() if said.get("changed")}


class Role(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="icelock-ansible-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.fleet = Fleet(folder)
        self.fleet.export(DOCUMENT)

    def four_machines(self):
        """With another admin's conflicting policies, with Firefox only, as it should be already, with nothing."""
        conflict = self.fleet.machine("conflict")
        conflict.chromium("10-site.json", '{"WebRtcIPHandling": "default", "HomepageLocation": "https://x.example"}\n')
        conflict.write("etc/chromium/policies/recommended/look.json", "{}", mode=0o600)
        conflict.firefox('{"policies":{ "DisableTelemetry" : true,\n\t"Preferences": {"browser.tabs.warnOnClose":'
                         '{"Value":false,"Status":"default"}, "' + PROXY_ONLY + '": {"Value": false}},'
                         ' "Homepage":{"URL":"https://x.example/\u00e9"}}}  \n', mode=0o640)
        firefox = self.fleet.machine("firefox", ["firefox"])
        firefox.write(trees.DISTRIBUTION, '{"policies": {"DisableAppUpdate": true}}')
        right = self.fleet.machine("right")
        for file in json.loads((self.fleet.folder / "roles/icelock/files/policy.json").read_text("utf-8"))["files"]:
            right.write(file["path"][1:], file["content"])
        self.fleet.machine("empty", [])
        return {"conflict", "firefox", "empty"}

    def audit(self, machine):
        ran = subprocess.run([PROGRAM, "audit", "--json", "--root", machine.root], capture_output=True, text=True,
                             timeout=60, check=False)
        audit = json.loads(ran.stdout)
        # Sites loosen Chromium's level as a whole, so what wins for its level key is looked at.
        return ran.returncode, audit, {each["id"]: each["installed"] if each["id"] == "firefox" else next((
            key["value"] for key in each["in_force"] if key["key"] == trees.LEVEL_KEY[each["id"]]), None)
            for each in audit["browsers"]}

    def json_of(self, host, path):
        return json.loads(Path(self.fleet.machines[host].at(path)).read_text("utf-8"))

    def test_converges_and_goes_back(self):
        to_change = self.four_machines()
        start = self.fleet.snapshots()
        self.assertEqual(changed(self.fleet.play("--check")), to_change)
        self.assertEqual(self.fleet.snapshots(), start)

        results = self.fleet.play()
        self.assertEqual((changed(results), [said["failed"] for said in results.values()]), (to_change, [False] * 4))
        after = self.fleet.snapshots()
        self.assertEqual({name for name in start if start[name] != after[name]}, to_change)
        self.assertEqual(results["conflict"]["overridden"],
                         ["/etc/chromium/policies/managed/10-site.json sets WebRtcIPHandling, which loses"])
        policies = self.json_of("conflict", trees.FIREFOX)["policies"]
        self.assertEqual(policies["Homepage"]["URL"], "https://x.example/\u00e9")
        self.assertEqual(policies["Preferences"]["browser.tabs.warnOnClose"], {"Value": False, "Status": "default"})
        self.assertTrue(self.json_of("firefox", trees.FIREFOX)["policies"]["DisableAppUpdate"])

        self.assertEqual(changed(self.fleet.play()), set())
        self.assertEqual(changed(self.fleet.play("--check")), set())
        self.assertEqual(self.fleet.snapshots(), after)

        for name, browsers in (("conflict", {"chromium", "firefox"}), ("firefox", {"firefox"}),
                               ("right", {"chromium", "firefox"}), ("empty", set())):
            code, audit, levels = self.audit(self.fleet.machines[name])
            said = {each["id"] for each in audit["findings"] if each["severity"] != "info"}
            self.assertEqual((code, audit["drift"], audit["compared"], said), (0, False, True, set()), name)
            lock = {"chromium": "disable_non_proxied_udp", "firefox": "force_proxy"}
            self.assertEqual({browser: levels.get(browser) for browser in browsers},
                             {browser: lock[browser] for browser in browsers})

        self.assertEqual(changed(self.fleet.play("--check", icelock_state="absent")), to_change)
        self.assertEqual(self.fleet.snapshots(), after)
        self.assertEqual(changed(self.fleet.play(icelock_state="absent")), to_change)
        self.assertEqual(self.fleet.snapshots(), start)
        self.assertEqual(changed(self.fleet.play(icelock_state="absent")), set())
        self.assertEqual(self.fleet.snapshots(), start)

    def test_drift_is_listed_by_host_and_mended(self):
        self.four_machines()
        start = self.fleet.snapshots()
        self.fleet.play()
        conflict, empty = self.fleet.machines["conflict"], self.fleet.machines["empty"]
        own = f"{trees.CHROMIUM}/{trees.OWN}"
        conflict.write(own, '{"WebRtcIPHandling": "default"}')
        policies = self.json_of("conflict", trees.FIREFOX)
        policies["policies"]["Preferences"][PROXY_ONLY]["Value"] = False
        policies["policies"]["BlockAboutConfig"] = True
        conflict.firefox(json.dumps(policies), mode=0o644)
        os.unlink(empty.at(own))
        for machine, found in ((conflict, "own_file_changed"), (empty, "own_file_missing")):
            code, audit, _ = self.audit(machine)
            self.assertEqual((code, audit["drift"]), (4, True))
            self.assertIn(found, {each["id"] for each in audit["findings"]})
        for check in (["--check"], []):
            results = self.fleet.play(*check)
            self.assertEqual({host: sorted(said["drift"]) for host, said in results.items()}, {
                "conflict": ["/" + own, "/" + trees.FIREFOX], "firefox": [], "right": [], "empty": ["/" + own]})
            self.assertEqual(changed(results), {"conflict", "empty"})
        self.assertIn("Drift since the last run", results["conflict"]["out"])
        self.assertEqual(self.fleet.play("--check")["conflict"]["drift"], [])
        self.assertEqual(self.json_of("conflict", own)["WebRtcIPHandling"], "disable_non_proxied_udp")
        self.assertTrue(self.json_of("conflict", trees.FIREFOX)["policies"]["BlockAboutConfig"])

        self.fleet.play(icelock_state="absent")
        ended = self.fleet.snapshots()
        self.assertEqual({**ended, "conflict": None}, {**start, "conflict": None})
        self.assertNotEqual(ended["conflict"].pop(trees.FIREFOX), start["conflict"].pop(trees.FIREFOX))
        self.assertEqual(ended["conflict"], start["conflict"])
        policies = self.json_of("conflict", trees.FIREFOX)["policies"]
        self.assertTrue(policies["BlockAboutConfig"])
        self.assertEqual(sorted(policies["Preferences"]), ["browser.tabs.warnOnClose", PROXY_ONLY])

    def test_edited_since_only_our_keys_go(self):
        shared = self.fleet.machine("shared")
        shared.firefox('{"policies": {"DisableTelemetry": true}}')
        self.fleet.play()
        policies = self.json_of("shared", trees.FIREFOX)
        policies["policies"]["BlockAboutConfig"] = True
        shared.firefox(json.dumps(policies))
        self.assertEqual(changed(self.fleet.play("--check")), set())
        self.fleet.play(icelock_state="absent")
        self.assertEqual(self.json_of("shared", trees.FIREFOX),
                         {"policies": {"DisableTelemetry": True, "BlockAboutConfig": True}})
        self.assertFalse(os.path.exists(shared.at("var/lib/icelock-ansible")))

    def test_another_policy_takes_the_place_of_the_first(self):
        self.four_machines()
        start = self.fleet.snapshots()
        self.fleet.play()
        self.fleet.export({"browsers": {"chromium": "default_route_only"}})
        self.assertEqual(changed(self.fleet.play()), set(self.fleet.machines))
        for name in ("conflict", "firefox"):
            self.assertEqual({path: kept for path, kept in trees.snapshot(self.fleet.machines[name].root).items()
                              if "firefox" in path}, {path: kept for path, kept in start[name].items()
                                                      if "firefox" in path})
        self.assertEqual(self.json_of("empty", f"{trees.CHROMIUM}/{trees.OWN}"),
                         {"WebRtcIPHandling": "default_public_interface_only"})
        self.fleet.play(icelock_state="absent")
        self.assertEqual(self.fleet.snapshots(), start)

    def test_keys_that_a_policy_no_longer_has_go(self):
        self.fleet.machine("shared").firefox('{"policies": {"Preferences": {"a.b": {"Value": 1}},'
                                             ' "3rdparty": {"Extensions": {"theirs": {"x": 1}}}}}')
        start = self.fleet.snapshots()
        path = self.fleet.folder / "roles/icelock/files/policy.json"
        exported = path.read_text("utf-8")
        policy = json.loads(exported)
        firefox = next(file for file in policy["files"] if file.get("merge"))
        more = json.loads(firefox["content"])
        more["policies"] |= {"BlockAboutConfig": True, "Permissions": {"Camera": {}},
                             "3rdparty": {"Extensions": {"ours": {"y": 2}}}}
        more["policies"]["Preferences"]["a.b"] = {"Value": True}  # as JSON another value than 1
        path.write_text(json.dumps(dict(policy, files=[dict(firefox, content=json.dumps(more))])), encoding="utf-8")
        self.fleet.play()
        there = self.json_of("shared", trees.FIREFOX)["policies"]
        self.assertEqual((there["BlockAboutConfig"], there["Preferences"]["a.b"]["Value"] is True), (True, True))
        self.assertEqual(there["3rdparty"]["Extensions"], {"theirs": {"x": 1}, "ours": {"y": 2}})
        path.write_text(exported, encoding="utf-8")
        self.assertEqual(changed(self.fleet.play()), {"shared"})
        there = self.json_of("shared", trees.FIREFOX)["policies"]
        self.assertEqual((list(there), there["Preferences"]["a.b"]["Value"] is True), (["Preferences", "3rdparty"], False))
        self.assertEqual(there["3rdparty"]["Extensions"], {"theirs": {"x": 1}})
        self.assertEqual(changed(self.fleet.play()), set())
        self.fleet.play(icelock_state="absent")
        self.assertEqual(self.fleet.snapshots(), start)

    def test_extensions_of_another_admin_stay_installed(self):
        theirs = {"*": {"installation_mode": "blocked"}, "p" * 32: {"installation_mode": "force_installed",
                                                                    "update_url": "https://their.example/u.xml"}}
        self.fleet.machine("others").chromium("10-site.json", json.dumps({"ExtensionSettings": theirs}))
        self.fleet.machine("later").chromium("zzz.json", json.dumps({"ExtensionSettings": theirs}))
        self.fleet.machine("none")
        self.fleet.machine("comments").chromium("10-site.json", '{"ExtensionSettings": {}} // mine')
        start = self.fleet.snapshots()
        self.fleet.export({"extension": {"chromium": {"updateUrl": "https://x.example/u.xml"}}})
        own = f"{trees.CHROMIUM}/{trees.OWN}"
        results = self.fleet.play()
        self.assertEqual({host for host, said in results.items() if said["failed"]}, {"later", "comments"})
        self.assertIn("zzz.json sets ExtensionSettings, which wins", results["later"]["out"])
        self.assertIn("not JSON that can be merged", results["comments"]["msg"])
        ours = self.json_of("none", own)["ExtensionSettings"]
        self.assertEqual(self.json_of("others", own)["ExtensionSettings"], {**theirs, **ours})
        self.assertEqual(results["others"]["overridden"], [])
        self.assertEqual(changed(self.fleet.play()), set())
        # What the other admin changes is taken over, and is no drift of ours.
        del theirs["*"]
        self.fleet.machines["others"].chromium("10-site.json", json.dumps({"ExtensionSettings": theirs}))
        results = self.fleet.play()
        self.assertEqual((changed(results), results["others"]["drift"]), ({"others"}, []))
        self.assertEqual(self.json_of("others", own)["ExtensionSettings"], {**theirs, **ours})
        self.fleet.play(icelock_state="absent")
        ended = self.fleet.snapshots()
        self.assertEqual({**ended, "others": None}, {**start, "others": None})
        self.assertNotIn(own, ended["others"])

    def test_what_cannot_be_merged_or_does_not_win_is_said(self):
        for name, content in (("broken", '{"policies": {'), ("twice", '{"policies": {}, "policies": {}}'),
                              ("shape", '{"policies": {"Preferences": []}}'), ("list", "[]"),
                              ("bom", b'\xef\xbb\xbf{"policies": {}}')):
            self.fleet.machine(name).firefox(content)
        self.fleet.machine("link").link(trees.FIREFOX, "/etc/other.json")
        self.fleet.machine("loose").folder(trees.CHROMIUM, mode=0o777)
        self.fleet.machine("managed").write("var/lib/icelock/ledger.json", "{}")
        start = self.fleet.snapshots()
        for check in (["--check"], []):
            for host, said in self.fleet.play(*check).items():
                self.assertTrue(said["failed"], host)
                self.assertRegex(said["msg"], r"left alone|on this host", host)
                self.assertRegex(said["msg"], r"/etc/|/var/lib/icelock/", host)
        self.assertEqual(self.fleet.snapshots(), start)

    def test_a_file_that_wins_over_ours_fails_the_host(self):
        self.fleet.export({"browsers": {"chromium": "force_proxy"}})
        self.fleet.machine("later").chromium("zzz.json", '{"WebRtcIPHandling": "default"}')
        self.fleet.machine("urls").chromium("a.json", '{"WebRtcIPHandlingUrl": []}')
        self.fleet.machine("unread").chromium("zzzz", "{")
        self.fleet.machine("same").chromium("zzz.json", '{"WebRtcIPHandling": "disable_non_proxied_udp"}')
        results = self.fleet.play()
        self.assertEqual({host for host, said in results.items() if said["failed"]}, {"later", "urls", "unread"})
        self.assertIn("zzz.json sets WebRtcIPHandling, which wins", results["later"]["out"])
        self.assertEqual(changed(results), set(self.fleet.machines))
        results = self.fleet.play(icelock_fail_if_outranked=False)
        self.assertFalse(any(said["failed"] for said in results.values()))


if __name__ == "__main__":
    WHY = cannot()
    if WHY:
        print(f"skipped: {WHY}", file=sys.stderr)
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    unittest.main()
