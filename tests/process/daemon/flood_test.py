# SPDX-License-Identifier: Apache-2.0
"""One user who asks without end, over four connections: everybody else is served as ever, and the service stays
small."""

import json
import os
import socket
import struct
import sys
import time
import unittest

import daemon_process as d

SECONDS = float(os.environ.get("ICELOCK_FLOOD_SECONDS", "1.2"))
CONNECTIONS = 4
MOST_MIB = 64
MOST_MS = 500  # what is aimed at is 50; this tells a queue from none, also on a machine that does much else
ARGUMENTS = {"set_mode": {"mode": "locked"}, "allow": {"pattern": "https://meet.example"},
             "deny": {"pattern": "https://meet.example"},
             "report": {"browser": "firefox", "serial": 1, "value": "default",
                        "level_of_control": "controlled_by_this_extension", "level": None}}
OPERATIONS = ["status", "subscribe", "report", "metrics", "audit", "history", "set_mode", "sites", "allow", "deny",
              "plan", "apply", "revert", "nonsense"]
HTTP = {"history": b"GET /v1/history", "audit": b"GET /v1/audit", "status": b"GET /v1/status"}
MANAGED = {"manage_policies": True, "browsers": ["chromium", "firefox"]}


def connected(name):
    door = socket.socket(socket.AF_UNIX)
    door.connect(d.SOCKETS[name])
    door.setblocking(False)
    return door


def frames_of(operation):
    data = json.dumps({"v": 1, "id": 1, "op": operation, **ARGUMENTS.get(operation, {})}).encode()
    return (struct.pack("=I", len(data)) + data) * 100


def flood(name, request, end):
    """Sends without end; half of the connections also read. A door that closes is opened again. One request at a
    time through the door that takes no more."""
    doors = [connected(name) for _ in range(CONNECTIONS)]
    left = [request] * CONNECTIONS
    while time.time() < end:
        moved = False
        for i, door in enumerate(doors):
            try:
                if left[i]:
                    sent = door.send(left[i])
                    left[i] = left[i][sent:] or (request if name == "host" else b"")
                    moved = True
                if i % 2 == 0 or name == "http":
                    moved = True
                    if not door.recv(1 << 16):
                        raise ConnectionError
            except BlockingIOError:
                pass
            except OSError:
                door.close()
                try:
                    doors[i] = connected(name)
                except OSError:
                    doors[i] = socket.socket(socket.AF_UNIX)
                left[i] = request
        if not moved:
            time.sleep(0.001)
    for door in doors:
        door.close()


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024


def long_history():
    entry = {"v": 1, "time": "2026-11-24T11:47:05Z", "verb": "apply", "uid": 0, "reason": "x" * 60,
             "browsers": ["chromium", "firefox"], "plan": "5c5e0506d23ff81c", "result": "bff85470e19c9b3e"}
    line = json.dumps(entry) + "\n"
    os.makedirs("/var/lib/icelock", exist_ok=True)
    with open("/var/lib/icelock/history.jsonl", "w", encoding="utf-8") as file:
        file.write(line * (180 * 1024 // len(line)))


class Flood(unittest.TestCase):
    def flooded(self, daemon, name, request, seconds=SECONDS):
        """Milliseconds of everybody else's status while a member of the group floods, and the peak of memory."""
        end = time.time() + seconds
        child = os.fork()
        if child == 0:
            try:
                d.as_user(d.MEMBER, lambda: flood(name, request, end))
            finally:
                os._exit(0)
        times = []
        time.sleep(0.1)
        while time.time() < end:
            before = time.monotonic()
            self.assertTrue(d.Frames().call("status")["ok"])
            times.append((time.monotonic() - before) * 1000)
            time.sleep(0.01)
        before = time.monotonic()
        self.assertTrue(d.Frames().call("plan", browsers=["chromium"])["ok"])
        plan = (time.monotonic() - before) * 1000
        os.waitpid(child, 0)
        return sorted(times), plan, peak_mib(daemon.process.pid)

    def check(self, what, name, request):
        with self.subTest(what), d.Daemon(MANAGED) as daemon:
            long_history()
            times, plan, peak = self.flooded(daemon, name, request)
            median, worst = times[len(times) // 2], times[-1]
            print(f"{what:20} status of others: median {median:6.1f} ms, worst {worst:6.1f} ms;"
                  f" plan {plan:6.0f} ms; {peak:5.1f} MiB", flush=True)
            # The worst belongs to the machine as much as to the service: others work on it too.
            self.assertLess(median, MOST_MS)
            self.assertLess(worst, 20 * MOST_MS)
            self.assertLess(plan, 40 * MOST_MS)
            self.assertLess(peak, MOST_MIB)

    def test_by_frames(self):
        for operation in OPERATIONS:
            self.check(operation, "host", frames_of(operation))

    def test_by_http(self):
        for operation, line in HTTP.items():
            self.check(f"http {operation}", "http", line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")


class Left(unittest.TestCase):
    def test_nothing_is_done_for_who_left(self):
        policy = "/etc/chromium/policies/managed/zz-icelock.json"
        with d.Daemon() as daemon:
            # Both doors; each client leaves while the service cannot look.
            for leave in (self.leave_frames, self.leave_http):
                daemon.process.send_signal(19)
                leave()
                daemon.process.send_signal(18)
                self.assertTrue(d.Frames().call("plan", browsers=["chromium"])["ok"])
                self.assertFalse(os.path.exists(policy), leave.__name__)

    def leave_frames(self):
        door = d.Frames()
        door.send({"v": 1, "id": 1, "op": "apply", "browsers": ["chromium"]})
        door.socket.close()

    def leave_http(self):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(d.SOCKETS["http"])
            body = b'{"browsers":["chromium"]}'
            door.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                         % (len(body), body))


class Log(unittest.TestCase):
    def test_refusals_do_not_drown_the_rest(self):
        with d.Daemon() as daemon:
            def refuse():
                door = d.Frames()
                for _ in range(2000):
                    door.call("apply")
            d.as_user(d.NOBODY, refuse)
            d.Frames().call("set_mode", mode="locked")
            log = []
            d.wait_for(lambda: log.append(daemon.log()) or "mode locked" in "".join(log), "the line")
            text = "".join(log)
            self.assertIn("not_permitted", text)
            self.assertLess(text.count("refused"), 100)
            self.assertIn(b'icelock_refusals_total{code="not_permitted"} 2000', d.http("GET", "/metrics")[2])


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    d.enter()
    unittest.main(verbosity=1)
