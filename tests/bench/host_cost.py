# SPDX-License-Identifier: Apache-2.0
"""icelock-host against Debian's browserpass-native (package webext-browserpass), turn by turn in one run: start
to first reply. Then what an idle icelock-host costs, and how fast it leaves. Prints JSON."""

import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "process", "host"))
from host_process import CHROMIUM_CALLER, HOST, Host, frame  # noqa: E402

PEER = "/usr/lib/browserpass/browserpass-native"
ROUNDS = int(os.environ.get("ROUNDS", "300"))
IDLE_SECONDS = int(os.environ.get("IDLE_SECONDS", "65"))


def first_reply_ms(command, request, environment):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, bufsize=0, env=environment)
    process.stdin.write(request)
    got = process.stdout.read(4)
    taken = (time.perf_counter() - start) * 1000
    process.stdin.close()
    process.stdout.close()
    process.wait()
    if len(got) != 4:
        raise RuntimeError(f"{command[0]} did not answer")
    return taken


def proc_number(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(rf"^{key}:\s+(\d+)", text.read(), re.M).group(1))


def compare_starts(environment):
    if not os.path.exists(PEER):
        raise SystemExit("install webext-browserpass to compare with")
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(first_reply_ms([HOST, *CHROMIUM_CALLER],
                                   frame({"v": 1, "id": 1, "op": "status"}), environment))
        peer.append(first_reply_ms([PEER], frame({"action": "configure", "settings": {"stores": {}}}),
                                   environment))
    return statistics.median(ours), statistics.median(peer)


def main():
    with Host() as host:
        ours, peer = compare_starts(host.environment)
    exits = []
    for _ in range(20):
        with Host() as host:
            host.ask("subscribe")
            exits.append(host.end()[1] * 1000)
    with Host() as host:
        host.ask("subscribe")
        before = proc_number(host.process.pid, "voluntary_ctxt_switches")
        time.sleep(IDLE_SECONDS)
        switches = proc_number(host.process.pid, "voluntary_ctxt_switches") - before
        resident = proc_number(host.process.pid, "VmRSS")
    print(json.dumps({
        "start_to_first_reply_ms": round(ours, 2), "browserpass_ms": round(peer, 2),
        "ratio": round(ours / peer, 2), "exit_ms_median": round(statistics.median(exits), 2),
        "exit_ms_max": round(max(exits), 2), "resident_mib": round(resident / 1024, 1),
        "wake_ups_a_minute": round(switches * 60 / IDLE_SECONDS, 1)}))


if __name__ == "__main__":
    main()
