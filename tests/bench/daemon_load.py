# SPDX-License-Identifier: Apache-2.0
"""What icelockd costs under load: many subscribers, event streams and requests at once.

  ICELOCK_BIN=build/release/bin python3 tests/bench/daemon_load.py [--json FILE]

As root: the daemon runs in namespaces of its own (tests/process/daemon)."""

import json
import multiprocessing
import os
import select
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../process/daemon"))
import daemon_process as d  # noqa: E402

SUBSCRIBERS = 256
STREAMS = 16
REQUESTS_PER_SECOND = 50
SECONDS = 10
CONNECTS = 10_000
SCRATCH = bytearray(1 << 16)  # a fresh buffer for each message would be most of what is measured


def quantile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def memory(pid, key):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith(key)).split()[1])


class Stream:
    """One reader of /v1/events."""

    def __init__(self):
        self.socket = d.socket.socket(d.socket.AF_UNIX)
        self.socket.connect(d.SOCKETS["http"])
        self.socket.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")


def request_times(door, call):
    """Milliseconds of each request, at a steady rate."""
    times = []
    begin = time.monotonic()
    for i in range(REQUESTS_PER_SECOND * SECONDS // 2):
        wait = begin + i / (REQUESTS_PER_SECOND / 2) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    print(f"{door:22} status p50 {statistics.median(times):6.2f} ms  p99 {quantile(times, .99):6.2f} ms")
    return times


def http_times():
    return request_times("http door", lambda: d.http("GET", "/v1/status"))


def frames_times():
    plain = d.Frames()
    return request_times("frames door", lambda: plain.call("status"))


def spread(receivers, change):
    """Milliseconds from a change to the moment it reached each receiver."""
    epoll = select.epoll()
    for receiver in receivers:
        epoll.register(receiver, select.EPOLLIN)
    left = {receiver.fileno(): receiver for receiver in receivers}
    start = time.perf_counter()
    change()
    times = []
    while left and time.perf_counter() - start < 5:
        for descriptor, _ in epoll.poll(1):
            times.append((time.perf_counter() - start) * 1000)
            left.pop(descriptor).recv_into(SCRATCH)
            epoll.unregister(descriptor)
    assert not left, f"{len(left)} were not told"
    return times


def empty(receivers):
    for receiver in receivers:
        receiver.setblocking(False)
        try:
            while receiver.recv_into(SCRATCH):
                pass
        except BlockingIOError:
            pass


def main():
    with d.Daemon() as daemon:
        pid = daemon.process.pid
        doors = [d.Frames() for _ in range(SUBSCRIBERS)]
        for door in doors:
            door.call("subscribe")
        streams = [Stream() for _ in range(STREAMS)]
        time.sleep(0.5)

        # One process for each door, so that they do not wait for each other.
        with multiprocessing.Pool(2) as pool:
            http = pool.apply_async(http_times)
            frames = pool.apply_async(frames_times)
            results = {"http": http.get(), "frames": frames.get()}

        receivers = [door.socket for door in doors] + [stream.socket for stream in streams]
        modes = d.Frames()
        reached = []
        for turn in range(20):
            empty(receivers)
            wish = {"mode": "locked" if turn % 2 == 0 else "auto"}
            reached += spread(receivers, lambda wish=wish: modes.send(
                {"v": 1, "id": 1, "op": "set_mode", **wish}))
            modes.receive()
            time.sleep(0.1)
        results["change"] = reached
        print(f"a change to {len(receivers)} clients    p50 {statistics.median(reached):6.2f} ms"
              f"  p99 {quantile(reached, .99):6.2f} ms  max {max(reached):6.2f} ms")
        results["rss_kib"] = memory(pid, "VmRSS")
        print(f"resident with all of them     {results['rss_kib'] / 1024:6.1f} MiB")

        for door in doors:
            door.socket.close()
        for stream in streams:
            stream.socket.close()
        time.sleep(0.5)
        descriptors = f"/proc/{pid}/fd"
        for _ in range(500):
            d.Frames().call("status")
            d.http("GET", "/v1/status")
        before = (len(os.listdir(descriptors)), memory(pid, "VmRSS"))
        for _ in range(CONNECTS // 2):
            d.Frames().call("status")
            d.http("GET", "/v1/status")
        time.sleep(0.5)
        after = (len(os.listdir(descriptors)), memory(pid, "VmRSS"))
        results["connects"] = {"before": before, "after": after}
        print(f"{CONNECTS} connects: descriptors {before[0]} -> {after[0]},"
              f" resident {before[1]} -> {after[1]} KiB")
        if "--json" in sys.argv:
            with open(sys.argv[sys.argv.index("--json") + 1], "w", encoding="utf-8") as file:
                json.dump(results, file)


if __name__ == "__main__":
    d.enter()
    main()
