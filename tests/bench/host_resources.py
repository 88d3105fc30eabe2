# SPDX-License-Identifier: Apache-2.0
"""Prints the ratio of two hyperfine results, and what an idle icelock-host costs. JSON."""

import json
import os
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "process", "host"))
from host_process import Host  # noqa: E402


def median_ms(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["results"][0]["median"] * 1000


def proc_number(pid, file, key):
    with open(f"/proc/{pid}/{file}", encoding="ascii") as text:
        return int(re.search(rf"^{key}:\s+(\d+)", text.read(), re.M).group(1))


def main():
    ours, peer = median_ms(sys.argv[1]), median_ms(sys.argv[2])
    idle_seconds = int(os.environ.get("IDLE_SECONDS", "65"))
    exits = []
    for _ in range(20):
        with Host() as host:
            host.ask("subscribe")
            exits.append(host.end()[1] * 1000)
    with Host() as host:
        host.ask("subscribe")
        before = proc_number(host.process.pid, "status", "voluntary_ctxt_switches")
        time.sleep(idle_seconds)
        switches = proc_number(host.process.pid, "status", "voluntary_ctxt_switches") - before
        resident = proc_number(host.process.pid, "status", "VmRSS")
    print(json.dumps({
        "start_ms": round(ours, 2), "browserpass_ms": round(peer, 2), "ratio": round(ours / peer, 2),
        "exit_ms_median": round(statistics.median(exits), 2), "exit_ms_max": round(max(exits), 2),
        "resident_mib": round(resident / 1024, 1),
        "wake_ups_a_minute": round(switches * 60 / idle_seconds, 1)}))


if __name__ == "__main__":
    main()
