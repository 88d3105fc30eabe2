# SPDX-License-Identifier: Apache-2.0
"""Machines as folders: hostile and odd ones by name, and any number of random ones by seed."""

import json
import os
import random
import stat

PROGRAMS = {
    "chrome": "opt/google/chrome/chrome",
    "chromium": "usr/bin/chromium",
    "edge": "opt/microsoft/msedge/msedge",
    "brave": "opt/brave.com/brave/brave",
    "vivaldi": "opt/vivaldi/vivaldi",
    "firefox": "usr/bin/firefox-esr",
}
FOLDERS = {
    "chrome": "etc/opt/chrome/policies/managed",
    "chromium": "etc/chromium/policies/managed",
    "edge": "etc/opt/edge/policies/managed",
    "brave": "etc/brave/policies/managed",
    "vivaldi": "etc/opt/vivaldi/policies/managed",
}
LEVEL_KEY = dict.fromkeys(FOLDERS, "WebRtcIPHandling") | {"edge": "WebRtcLocalhostIpHandling"}
CHROMIUM = FOLDERS["chromium"]
FIREFOX = "etc/firefox/policies/policies.json"
DISTRIBUTION = "usr/lib/firefox-esr/distribution/policies.json"
OWN = "zz-icelock.json"
LOCK = '{"WebRtcIPHandling": "disable_non_proxied_udp"}'


class Machine:
    """A root folder with these browsers installed."""

    def __init__(self, root, browsers=("chromium", "firefox")):
        self.root = str(root)
        for folder in ("etc", "var/lib", "usr/bin"):
            os.makedirs(self.at(folder), exist_ok=True)
        for browser in browsers:
            self.write(PROGRAMS[browser], "")

    def at(self, path):
        return os.path.join(self.root, path)

    def write(self, path, content, mode=0o644, time=1_600_000_000_123_456_789):
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        data = content.encode("utf-8") if isinstance(content, str) else content
        with open(self.at(path), "wb") as file:
            file.write(data)
        os.chmod(self.at(path), mode)
        os.utime(self.at(path), ns=(time, time))

    def chromium(self, name, content, **more):
        self.write(f"{CHROMIUM}/{name}", content, **more)

    def firefox(self, content, **more):
        self.write(FIREFOX, content, **more)

    def folder(self, path, mode=0o755):
        os.makedirs(self.at(path), exist_ok=True)
        os.chmod(self.at(path), mode)

    def link(self, path, target):
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        os.symlink(target, self.at(path))


def snapshot(root):
    """Every name with kind, mode, owner and link target; for files also time and content."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            entry = (stat.S_IFMT(info.st_mode), info.st_mode, info.st_uid, info.st_gid)
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    entry += (info.st_mtime_ns, file.read())
            elif stat.S_ISLNK(info.st_mode):
                entry += (os.readlink(path),)
            found[os.path.relpath(path, root)] = entry
    return found


def left(root):
    """The same without the history, which is kept on purpose, and its folder."""
    found = snapshot(root)
    if found.pop("var/lib/icelock/history.jsonl", None):
        found.pop("var/lib/icelock")
    return found


def policies(preferences=None, **others):
    return json.dumps({"policies": {**others, "Preferences": preferences or {}}}, indent=2)


def deep(levels):
    return "[" * levels + "]" * levels


def long_policies():
    many = {f"Policy{i}": {"value": i, "list": list(range(5))} for i in range(450)}
    return json.dumps({"policies": many}, indent=1)


def fifo(machine, path):
    machine.folder(os.path.dirname(path))
    os.mkfifo(machine.at(path))


def hard_link(machine):
    machine.chromium("a.json", LOCK)
    os.link(machine.at(f"{CHROMIUM}/a.json"), machine.at(f"{CHROMIUM}/b.json"))


def sparse(machine):
    machine.chromium("a.json", "{}")
    with open(machine.at(f"{CHROMIUM}/a.json"), "r+b") as file:
        file.truncate(64 << 20)


def ledger(machine, text):
    machine.write("var/lib/icelock/ledger.json", text, mode=0o600)


# What is done to a machine with Chromium and Firefox; the name says what is odd about it.
ODD = {
    "nothing": lambda m: None,
    "empty folders": lambda m: (m.folder(CHROMIUM), m.folder("etc/firefox/policies")),
    "empty file": lambda m: m.chromium("a.json", ""),
    "empty own file": lambda m: m.chromium(OWN, ""),
    "empty firefox file": lambda m: m.firefox(""),
    "blank firefox file": lambda m: m.firefox(" \n\t\n"),
    "broken": lambda m: m.chromium("a.json", '{"WebRtcIPHandling": "default"'),
    "broken own file": lambda m: m.chromium(OWN, "{"),
    "broken firefox": lambda m: m.firefox('{"policies": {'),
    "bom": lambda m: m.chromium("a.json", "\ufeff" + LOCK),
    "bom firefox": lambda m: m.firefox("\ufeff" + policies()),
    "utf-16": lambda m: m.chromium("a.json", LOCK.encode("utf-16")),
    "utf-16 firefox": lambda m: m.firefox(policies().encode("utf-16")),
    "latin-1": lambda m: m.chromium("a.json", '{"HomepageLocation": "é"}'.encode("latin-1")),
    "latin-1 firefox": lambda m: m.firefox('{"policies": {"x": "é"}}'.encode("latin-1")),
    "nul bytes": lambda m: m.chromium("a.json", LOCK + "\0\0"),
    "binary": lambda m: m.chromium("a.json", bytes(range(256))),
    "comments": lambda m: m.chromium("a.json", "// mine\n" + LOCK + " /* end */"),
    "comments firefox": lambda m: m.firefox("/* mine */ " + policies()),
    "trailing comma": lambda m: m.chromium("a.json", '{"WebRtcIPHandling": "default",}'),
    "trailing comma firefox": lambda m: m.firefox('{"policies": {},}'),
    "key twice": lambda m: m.chromium(
        "a.json", '{"WebRtcIPHandling": "default", "WebRtcIPHandling": "x"}'),
    "key twice firefox": lambda m: m.firefox('{"policies": {}, "policies": {"a": 1}}'),
    "pref twice": lambda m: m.firefox(
        '{"policies": {"Preferences": {"a.b": 1, "a.b": 2}}}'),
    "top is a list": lambda m: m.chromium("a.json", "[{}]"),
    "firefox list": lambda m: m.firefox("[]"),
    "policies is a list": lambda m: m.firefox('{"policies": []}'),
    "preferences is a text": lambda m: m.firefox('{"policies": {"Preferences": "x"}}'),
    "no policies": lambda m: m.firefox('{"Preferences": {}}'),
    "deep 150": lambda m: m.chromium("a.json", '{"x": ' + deep(150) + "}"),
    "deep 100000": lambda m: m.chromium("a.json", '{"x": ' + deep(100_000) + "}"),
    "deep firefox": lambda m: m.firefox('{"policies": {"x": ' + deep(5000) + "}}"),
    "huge number": lambda m: m.chromium("a.json", '{"x": 1e9999, "y": ' + "9" * 5000 + "}"),
    "lone surrogate": lambda m: m.chromium("a.json", '{"x": "\\ud800"}'),
    "escaped key": lambda m: m.chromium(
        "a.json", '{"WebRtc\\u0049PHandling": "disable_non_proxied_udp"}'),
    "8 MiB": lambda m: m.chromium("a.json", '{"x": "' + "y" * (8 << 20) + '"}'),
    "17 MiB": lambda m: m.chromium("a.json", '{"x": "' + "y" * (17 << 20) + '"}'),
    "sparse": sparse,
    "5000 lines firefox": lambda m: m.firefox(long_policies()),
    "500 files": lambda m: [m.chromium(f"{i:03}.json", LOCK) for i in range(500)],
    "crlf and tabs": lambda m: m.firefox(
        '{\r\n\t"policies": {\r\n\t\t"DisableTelemetry": true\r\n\t}\r\n}'),
    "one line": lambda m: m.firefox('{"policies":{"Preferences":{"a.b":{"Value":1}}}}'),
    "no newline at the end": lambda m: m.firefox(policies()),
    "old mtime": lambda m: m.chromium(OWN, "{}", time=-5_000_000_001),
    "future mtime": lambda m: m.chromium(OWN, "{}", time=7_000_000_000_000_000_000),
    "closed file": lambda m: m.chromium("a.json", LOCK, mode=0o600),
    "closed own file": lambda m: m.chromium(OWN, "{}", mode=0o600),
    "closed firefox file": lambda m: m.firefox(policies(), mode=0o640),
    "read-only file": lambda m: m.chromium(OWN, "{}", mode=0o444),
    "set-uid file": lambda m: m.chromium(OWN, "{}", mode=0o4755),
    "file for all to write": lambda m: m.chromium(OWN, "{}", mode=0o666),
    "folder for all to write": lambda m: m.folder(CHROMIUM, 0o777),
    "sticky folder for all": lambda m: m.folder(CHROMIUM, 0o1777),
    "closed folder": lambda m: (m.chromium("a.json", LOCK), m.folder(CHROMIUM, 0o700)),
    "folder is a file": lambda m: m.write(CHROMIUM, "x"),
    "file is a folder": lambda m: m.folder(f"{CHROMIUM}/{OWN}"),
    "firefox file is a folder": lambda m: m.folder(FIREFOX),
    "folders inside": lambda m: (m.folder(f"{CHROMIUM}/sub"),
                                 m.write(f"{CHROMIUM}/sub/a.json", LOCK)),
    "symlinked folder": lambda m: (m.folder("srv/policies"), m.link(CHROMIUM, "../../../srv")),
    "symlinked file": lambda m: (m.write("srv/a.json", LOCK),
                                 m.link(f"{CHROMIUM}/a.json", "/srv/a.json")),
    "symlinked own file": lambda m: (m.write("etc/shadow", "secret"),
                                     m.link(f"{CHROMIUM}/{OWN}", "/etc/shadow")),
    "symlink out of the root": lambda m: m.link(f"{CHROMIUM}/a.json", "../../../../../../etc/passwd"),
    "dangling symlink": lambda m: m.link(f"{CHROMIUM}/a.json", "/nowhere"),
    "symlink loop": lambda m: m.link(f"{CHROMIUM}/a.json", "a.json"),
    "symlinked firefox file": lambda m: (m.write("srv/p.json", policies()),
                                         m.link(FIREFOX, "/srv/p.json")),
    "fifo": lambda m: fifo(m, f"{CHROMIUM}/a.json"),
    "fifo as own file": lambda m: fifo(m, f"{CHROMIUM}/{OWN}"),
    "fifo for firefox": lambda m: fifo(m, FIREFOX),
    "hard link": hard_link,
    "odd names": lambda m: [m.chromium(n, LOCK) for n in ("a b.json", "ü", "-rf", "zzz\nx.json")],
    "not utf-8 name": lambda m: m.write(f"{CHROMIUM}/" + os.fsdecode(b"\xff\xfe.json"), LOCK),
    "later name": lambda m: m.chromium("zzz.json", '{"WebRtcIPHandling": "default"}'),
    "leftovers": lambda m: [m.chromium(n, LOCK) for n in ("a.json~", ".a.swp", "zz.json.bak")],
    "staged leftovers": lambda m: m.write(f"etc/chromium/policies/.icelock-new-managed-{OWN}", "half"),
    "distribution file": lambda m: m.write(DISTRIBUTION, policies(DisableTelemetry=True)),
    "both firefox files": lambda m: (m.firefox(policies()),
                                     m.write(DISTRIBUTION, policies(DisableTelemetry=True))),
    "broken distribution file": lambda m: m.write(DISTRIBUTION, "{"),
    "broken ledger": lambda m: ledger(m, "{"),
    "newer ledger": lambda m: ledger(m, '{"v": 9, "files": [], "folders": []}'),
    "ledger of nothing": lambda m: ledger(m, '{"v": 1, "files": [], "folders": []}'),
    "ledger of a foreign file": lambda m: ledger(m, json.dumps(
        {"v": 1, "files": [{"path": "etc/passwd", "original": None, "written": ["x"]}],
         "folders": []})),
    "ledger is a symlink": lambda m: m.link("var/lib/icelock/ledger.json", "/etc/passwd"),
    "ledger folder for all": lambda m: m.folder("var/lib/icelock", 0o777),
    "sites of others": lambda m: m.chromium("a.json", json.dumps({"WebRtcIPHandlingUrl": [
        {"url": "https://meet.example", "handling": "default"}]})),
    "other extension's allowlist": lambda m: m.chromium("a.json", json.dumps(
        {"NativeMessagingBlocklist": ["*"]})),
}

VALUES = ["default", "disable_non_proxied_udp", "default_public_interface_only", "proxy_only",
          "DisableNonProxiedUdp", "", 3, None, [], {}]
NAMES = ["00.json", "10-corp.json", "zz-icelock.json", "zz-icelock.json.bak", "zzz.json", "conf"]
PREFS = ["media.peerconnection.enabled", "media.peerconnection.ice.proxy_only",
         "media.peerconnection.ice.no_host", "browser.startup.page"]


def random_chromium(rng, browser):
    content = {}
    if rng.random() < 0.8:
        content[LEVEL_KEY[browser]] = rng.choice(VALUES)
    if rng.random() < 0.3:
        content["WebRtcIPHandlingUrl"] = [
            {"url": rng.choice(["https://meet.example", "*", "https://*.example", ""]),
             "handling": rng.choice(VALUES)} for _ in range(rng.randrange(4))]
    if rng.random() < 0.2:
        content["ExtensionSettings"] = rng.choice(EXTENSIONS)
    if rng.random() < 0.3:
        content[rng.choice(["HomepageLocation", "WebRtcIPHandlingPolicy", "3rdparty"])] = "x"
    text = json.dumps(content, indent=rng.choice([None, 1, 2, "\t"]))
    return text[:rng.randrange(len(text))] if rng.random() < 0.1 else text


def random_firefox(rng):
    prefs = {}
    for pref in PREFS:
        if rng.random() < 0.4:
            value = rng.choice([True, False, 1, "x"])
            prefs[pref] = rng.choice([value, {"Value": value, "Status": rng.choice(
                ["locked", "default", "user"])}])
    others = {"DisableTelemetry": True} if rng.random() < 0.5 else {}
    if rng.random() < 0.3:
        others["ExtensionSettings"] = rng.choice(EXTENSIONS + [{"icelock@icelock.extension": {}}])
    text = json.dumps({"policies": {**others, "Preferences": prefs}},
                      indent=rng.choice([None, 2, "\t"]))
    if rng.random() < 0.1:
        return rng.choice(["{}", '{"policies":{}}', text[:-3]])
    return text.replace("\n", "\r\n") if rng.random() < 0.2 else text


EXTENSION_ID = "abcdefghijklmnopabcdefghijklmnop"
EXTENSIONS = [{}, [], "x", {"*": {"blocked_permissions": ["usb"]}}, {"c" * 32: {"installation_mode": "blocked"}},
              {EXTENSION_ID: {"installation_mode": "blocked"}}]
SETTINGS = ['{"hold_seconds" : 5,\r\n "sites": []}', "{}", '{"floor": "disabled"}', '{"floor": ', "[]", ""]


def random_document(rng):
    """A policy document that icelock takes: any of its fields, at least one."""
    level = ["unrestricted", "default_route_only", "force_proxy", "disabled"]
    fields = {
        "level": lambda: rng.choice(level),
        "privateWindows": lambda: "force_proxy", "floor": lambda: rng.choice(level),
        "hold": lambda: rng.randrange(999), "modes": lambda: rng.sample(["auto", "locked", "open"], 2),
        "protected": lambda: ["lan"],
        "extension": lambda: {"firefox": {"installUrl": "https://x.example/i.xpi"}, "chromium": {
            "updateUrl": "https://x.example/u.xml", **rng.choice([{}, {"id": EXTENSION_ID}])},
            **rng.choice([{}, {"settings": {"mode": "locked", "stunServers": ["a.example"]}}])}}
    document = {name: make() for name, make in fields.items() if rng.random() < 0.5} or {"floor": "disabled"}
    if "level" in document and "floor" in document:
        document["floor"] = "unrestricted"
    if "level" in document and rng.random() < 0.5:
        document |= {"presets": rng.sample(["Zoom", "Webex", "Slack"], 2),
                     "sites": [{"pattern": "meet.example", "level": "unrestricted"}]}
    return document


def random_machine(root, seed):
    rng = random.Random(seed)
    browsers = [b for b in PROGRAMS if rng.random() < 0.6] or ["chromium"]
    machine = Machine(root, browsers)
    for browser, folder in FOLDERS.items():
        for name in NAMES:
            if rng.random() < 0.25:
                machine.write(f"{folder}/{name}", random_chromium(rng, browser),
                              mode=rng.choice([0o644, 0o644, 0o600]),
                              time=rng.randrange(2 * 10**18))
    if rng.random() < 0.6:
        machine.firefox(random_firefox(rng), mode=rng.choice([0o644, 0o640]))
    if rng.random() < 0.3:
        machine.write("etc/icelock/icelock.json", rng.choice(SETTINGS), mode=rng.choice([0o644, 0o600]))
    if rng.random() < 0.2:
        machine.write(DISTRIBUTION, random_firefox(rng))
    return machine, browsers, rng
