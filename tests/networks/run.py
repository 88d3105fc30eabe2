#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks that people have, each made in an empty network namespace, and what `icelock status --json` must say there.

usage: run.py [--list] [--json] [NAME...]      NAME: a situation or the beginning of its name

The situations are in situations/*.toml, README.md says how to write one. Needs root, for users' rules and tun devices;
exits 77 (skipped) where it cannot run. ICELOCK_BIN is the folder of the built program, ICELOCK_KINDS the built library
kinds.so.
"""

import argparse
import ctypes
import ipaddress
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import devices

HERE = Path(__file__).resolve().parent
AT_ONCE = 2
NOBODY = 65534
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
TEXTS = {"source", "why", "on", "as", "make", "levels", "chromium", "firefox", "ipv4", "ipv6", "excluded", "tunnels",
         "settings"}
LISTS = {"codes", "no_codes", "says", "never"}
CARD4 = """
addr add 192.168.77.10/24 dev enp3s0
route add default via 192.168.77.1 dev enp3s0 proto dhcp src 192.168.77.10 metric 100
"""
CARD6 = """
addr add 2a0e:77:0:1::10/64 dev enp3s0 nodad
route add default via fe80::1 dev enp3s0 proto ra metric 100
"""
CARD = """
tap enp3s0 card
link set lo up
link set enp3s0 up
"""
SPECIAL = {
    "private": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
    "special": "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,"
               "192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/3",
}
BASES = {"nothing": "link set lo up\n", "card": CARD, "laptop": CARD + CARD4 + CARD6, "laptop4": CARD + CARD4,
         "laptop6": CARD + CARD6}


class Wrong(Exception):
    """A situation that cannot be read or made."""


def load():
    situations = {}
    for path in sorted(HERE.glob("situations/*.toml")):
        with open(path, "rb") as file:
            for name, situation in tomllib.load(file).items():
                check_form(f"{path.name}: {name}", situation)
                if name in situations:
                    raise Wrong(f"{path.name}: {name} is there twice")
                situations[name] = situation
    return situations


def check_form(where, situation):
    for key, value in situation.items():
        if key not in TEXTS | LISTS:
            raise Wrong(f"{where}: no such key: {key}")
        if not isinstance(value, str if key in TEXTS else list):
            raise Wrong(f"{where}: {key} is of the wrong type")
    for key in ("source", "why", "make"):
        if not situation.get(key):
            raise Wrong(f"{where}: {key} is missing")
    if situation.get("on", "laptop") not in BASES:
        raise Wrong(f"{where}: on must be one of {', '.join(BASES)}")
    if not situation.keys() & {"levels", "chromium", "firefox"}:
        raise Wrong(f"{where}: expects no level")


def system_call(what, result):
    if result != 0:
        error = ctypes.get_errno()
        raise Wrong(f"{what}: {os.strerror(error)}")


def enter_namespaces():
    """An empty network, and folders of our own where a service of this machine would otherwise be met."""
    libc = ctypes.CDLL(None, use_errno=True)
    system_call("unshare", libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    system_call("mount", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for folder in ("/run", "/etc/icelock"):
        if os.path.isdir(folder):
            system_call("mount", libc.mount(b"none", folder.encode(), b"tmpfs", 0, b"mode=755"))


def networks_but(holes):
    """The blocks that cover all addresses but those of the holes, as few as can be."""
    holes = [ipaddress.ip_network(each) for each in ",".join(SPECIAL.get(each, each) for each in holes).split(",")]
    blocks = [ipaddress.ip_network("::/0" if holes[0].version == 6 else "0.0.0.0/0")]
    for hole in holes:
        outside = [block for block in blocks if not hole.subnet_of(block) and not block.subnet_of(hole)]
        around = [block for block in blocks if hole != block and hole.subnet_of(block)]
        blocks = outside + [part for block in around for part in block.address_exclude(hole)]
    return sorted(blocks)


def expanded(words, pieces):
    """A line's own words, or what it stands for."""
    if words[0] == "use":
        for line in pieces[words[1]].splitlines():
            yield from expanded(line.split(), pieces) if line.strip() else ()
    elif words[0] == "all-but":  # all-but HOLE,HOLE... dev wg0 ...
        family = ["-6"] if ":" in words[1] else []
        for block in networks_but(words[1].split(",")):
            yield [*family, "route", "add", str(block), *words[2:]]
    elif words[0] == "every-second":  # every-second LENGTH NETWORK via ...: many routes, as country lists are
        for block in list(ipaddress.ip_network(words[2]).subnets(new_prefix=int(words[1])))[::2]:
            yield ["route", "add", str(block), *words[3:]]
    else:
        yield words


def commands_of(situation):
    with open(HERE / "pieces.toml", "rb") as file:
        pieces = tomllib.load(file)
    for line in (BASES[situation.get("on", "laptop")] + situation["make"]).splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield from expanded(words, pieces)


def run_ip(family, lines):
    done = subprocess.run(["ip", *family, "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Wrong(f"cannot be made: {' '.join(done.stderr.split())[:200]}")


def run_nft(line):
    done = subprocess.run(["nft", line], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"cannot be made: {' '.join(done.stderr.split())[:200]}")


def make(situation):
    """Runs the commands in their order, as few ip processes as can be. Returns the devices to hold open."""
    held, family, lines = devices.Held(), [], []
    for words in commands_of(situation):
        is_other = words[0] in ("tun", "tap", "drop", "nft")
        wanted = words[:1] if words[0] in ("-4", "-6") else []
        if lines and (is_other or wanted != family):
            run_ip(family, lines)
            lines = []
        if words[0] == "nft":
            run_nft(" ".join(words[1:]))
            continue
        if is_other:
            held.run(words)
            continue
        family = wanted
        lines.append(" ".join(words[1:] if wanted else words))
    if lines:
        run_ip(family, lines)
    return held


def environment(situation, home, kinds, preload):
    result = {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": home, "ICELOCK_TEST_KINDS": kinds,
              "LD_PRELOAD": preload}
    result.update((name, os.environ[name]) for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
                  if name in os.environ)
    return result


def user_of(situation):
    who = situation.get("as", "nobody")
    return {"nobody": NOBODY, "root": 0}.get(who) if not who.isdigit() else int(who)


def write_settings(home, text):
    if text:
        path = Path(home, ".config", "icelock", "icelock.json")
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")


def ask(situation, tools, kinds):
    uid = user_of(situation)
    with tempfile.TemporaryDirectory(prefix="icelock-networks-") as home:
        write_settings(home, situation.get("settings"))
        os.chown(home, uid, uid)
        got = subprocess.run([tools["program"], "status", "--json"], capture_output=True, text=True, timeout=60,
                             env=environment(situation, home, kinds, tools["preload"]), user=uid, group=uid,
                             extra_groups=[], check=False, cwd="/")
    try:
        return json.loads(got.stdout)
    except ValueError as error:
        raise Wrong(f"no JSON (exit {got.returncode}): {(got.stdout + got.stderr).strip()[:300]}") from error


def one_of(seen, wanted):
    """Whether what was seen, words from the most to the least important, begins with one of the alternatives."""
    return any(seen.split()[:len(each.split())] == each.split() for each in wanted.split("|"))


def tunnel_row(tunnel):
    return f"{tunnel['link']} {tunnel['ipv4']}/{tunnel['ipv6']}"


def view(state):
    """What the situations speak of, as texts."""
    network = state["network"]
    seen = dict(state["decision"])
    for family in ("ipv4", "ipv6"):
        seen[family] = f"{network[family]['verdict']} {network[family].get('link') or ''}".strip()
    outside = [family for family in ("ipv4", "ipv6") if network[family]["excluded_routes"]]
    seen["excluded"] = "+".join(outside) or "no"
    seen["tunnels"] = ", ".join(sorted(map(tunnel_row, state["tunnels"]))) or "none"
    return seen


def expectations(situation):
    for key in ("levels", "chromium", "firefox", "ipv4", "ipv6", "excluded", "tunnels"):
        if key in situation:
            for each in ("chromium", "firefox") if key == "levels" else (key,):
                yield each, situation[key]


def faults_of(situation, state):
    seen = view(state)
    for key, wanted in expectations(situation):
        if key == "tunnels":
            right = any(", ".join(sorted(each.strip().split(", "))) == seen[key] for each in wanted.split("|"))
        else:
            right = one_of(seen[key], wanted)
        if not right:
            yield f"{key}: wanted {wanted}, seen {seen[key]}"
    codes = [reason["code"] for reason in state["reasons"]]
    text = " ".join(reason["text"] for reason in state["reasons"])
    for code in situation.get("codes", []):
        if not set(code.split("|")) & set(codes):
            yield f"reasons: wanted {code}, seen {' '.join(codes)}"
    for code in situation.get("no_codes", []) + ["probe_failed"]:
        if code in codes:
            yield f"reasons: not wanted {code}: {text}"
    for pattern in situation.get("says", []):
        if not re.search(pattern, text, re.IGNORECASE):
            yield f"text: wanted /{pattern}/, seen: {text}"
    for pattern in situation.get("never", []):
        if re.search(pattern, text, re.IGNORECASE):
            yield f"text: not wanted /{pattern}/, seen: {text}"
    if not text:
        yield "no reason is given"


def judge(work):
    name, situation, tools = work
    try:
        enter_namespaces()
        held = make(situation)
        state = ask(situation, tools, held.kinds())
        return {"name": name, "faults": list(faults_of(situation, state)), "seen": view(state),
                "reasons": state["reasons"]}
    except (Wrong, OSError, KeyError, subprocess.TimeoutExpired) as error:
        return {"name": name, "faults": [f"{type(error).__name__}: {error}"], "seen": None, "reasons": []}


def sanitizer_of(program):
    """The runtime of a sanitized program, which must be loaded before any other library."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    found = re.search(r"=> (\S*/lib[at]san\.so\S*)", listed)
    return found[1] if found else ""


def copy_tools(folder):
    """Copies that every user may read, wherever the build is."""
    os.chmod(folder, 0o755)
    copies = {}
    for key, path in (("program", Path(os.environ["ICELOCK_BIN"], "icelock")), ("kinds", os.environ["ICELOCK_KINDS"])):
        copies[key] = shutil.copy(path, folder)
        os.chmod(copies[key], 0o755)
    copies["preload"] = f"{sanitizer_of(copies['program'])} {copies['kinds']}".strip()
    return copies


def skip(why):
    print("skipped:", why)
    sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") else 77)


def check_machine():
    if os.geteuid() != 0:
        skip("needs root")
    for program in ("ip", "nft"):
        if not shutil.which(program):
            skip(program + " is not installed")
    if not os.access("/dev/net/tun", os.W_OK):
        skip("no /dev/net/tun")
    pid = os.fork()
    if pid == 0:
        try:
            enter_namespaces()
            os._exit(0)
        except Wrong:
            os._exit(1)
    if os.waitpid(pid, 0)[1]:
        skip("no namespaces")


def chosen(situations, names):
    unknown = [name for name in names if not any(each.startswith(name) for each in situations)]
    if unknown:
        sys.exit(f"no such situation: {', '.join(unknown)}")
    exact = set(names) & situations.keys()
    starts = tuple(set(names) - exact)
    return {name: situation for name, situation in situations.items()
            if not names or name in exact or name.startswith(starts)}


def run(situations, as_json):
    check_machine()
    results = []
    with tempfile.TemporaryDirectory(prefix="icelock-networks-") as folder:
        tools = copy_tools(folder)
        work = [(name, situation, tools) for name, situation in situations.items()]
        context = multiprocessing.get_context("fork")
        with context.Pool(AT_ONCE, maxtasksperchild=1) as pool:
            for result in pool.imap(judge, work, chunksize=1):
                results.append(result)
                if result["faults"] and not as_json:
                    print(f"{result['name']}: {'; '.join(result['faults'])}", flush=True)
    failed = sum(bool(result["faults"]) for result in results)
    if as_json:
        print(json.dumps(results, indent=1))
    else:
        print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description="Networks that people have, and what icelock must say there.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="the names and their sources")
    parser.add_argument("--json", action="store_true", help="everything that was seen")
    arguments = parser.parse_args()
    try:
        situations = chosen(load(), arguments.names)
    except (Wrong, tomllib.TOMLDecodeError) as error:
        sys.exit(str(error))
    if arguments.list:
        for name, situation in situations.items():
            print(f"{name}  ({situation['source']})")
        return 0
    return run(situations, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
