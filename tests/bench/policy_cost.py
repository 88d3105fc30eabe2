#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What plan, apply and audit cost: six browsers beside 500 policy files of others, and a fleet of random machines.

usage: policy_cost.py PROGRAM [MACHINES]    (as root; prints JSON, times in milliseconds)
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process/policy"))
import trees  # noqa: E402

ROUNDS = 10


def timed(program, verb, root, *words):
    begin = time.perf_counter()
    ran = subprocess.run([program, verb, "--root", root, *words], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, check=False)
    took = (time.perf_counter() - begin) * 1000
    if ran.returncode not in (0, 2, 4):
        sys.exit(f"{verb}: {ran.stderr.decode()}")
    return took


def main():
    program, machines = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        os.chmod(folder, 0o755)
        many = trees.Machine(os.path.join(folder, "many"), trees.PROGRAMS)
        few = trees.Machine(os.path.join(folder, "few"), trees.PROGRAMS)
        for place in trees.FOLDERS.values():
            for number in range(100):
                many.write(f"{place}/{number:03}.json", trees.LOCK)
        result = {"audit_500_files": [timed(program, "audit", many.root) for _ in range(ROUNDS)],
                  "plan": [], "apply": []}
        for _ in range(ROUNDS):
            result["plan"].append(timed(program, "plan", few.root))
            result["apply"].append(timed(program, "apply", few.root, "--yes"))
            timed(program, "revert", few.root)
        result = {name: {"median": round(statistics.median(each), 2), "best": round(min(each), 2)}
                  for name, each in result.items()}
        roots = [os.path.join(folder, str(number)) for number in range(machines)]
        for number, root in enumerate(roots):
            os.mkdir(root, 0o755)
            trees.random_machine(root, number)
        result["fleet"] = {"machines": machines,
                           "total": round(sum(timed(program, "audit", root) for root in roots))}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
