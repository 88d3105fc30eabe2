# SPDX-License-Identifier: Apache-2.0
"""Parts that hang: each wait has an end, and what is not known is said."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host"))
import daemon_process as d  # noqa: E402
import host_process  # noqa: E402


def reads(pid):
    """How often it read; each turn of its loop does."""
    with open(f"/proc/{pid}/io", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("syscr")).split()[1])


class Hanging(unittest.TestCase):
    def test_a_choice_is_answered_while_the_service_hangs(self):
        with d.Daemon() as daemon, host_process.Host() as host:
            d.wait_for(lambda: host.ask("subscribe")["state"]["service"]["present"], "the service")
            daemon.process.send_signal(signal.SIGSTOP)
            before = time.monotonic()
            answer = host.ask("set_mode", 10, mode="locked")
            self.assertLess(time.monotonic() - before, 4.9, "then the extension ends the host")
            self.assertEqual(answer["state"]["decision"]["chromium"], "force_proxy")
            self.assertEqual(host.ask("allow", pattern="meet.example")["code"], "timeout")
            daemon.process.send_signal(signal.SIGCONT)

    def test_a_start_beside_a_predecessor_that_hangs(self):
        os.makedirs("/run/icelock", exist_ok=True)
        with contextlib.ExitStack() as stack:
            door = stack.enter_context(socket.socket(socket.AF_UNIX))
            stack.callback(os.remove, d.SOCKETS["host"])
            with contextlib.suppress(FileNotFoundError):
                os.remove(d.SOCKETS["host"])
            door.bind(d.SOCKETS["host"])
            door.listen(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect(d.SOCKETS["host"])
            run = subprocess.run([d.DAEMON], capture_output=True, text=True, check=False, timeout=20)
            self.assertIn("another icelockd", run.stderr)

    def test_without_descriptors_it_waits_instead_of_turning(self):
        with d.Daemon(under=["prlimit", "--nofile=48:48"]) as daemon, contextlib.ExitStack() as stack:
            for name in ("host", "http"):
                for _ in range(40):
                    door = stack.enter_context(socket.socket(socket.AF_UNIX))
                    door.setblocking(False)
                    door.connect(d.SOCKETS[name])
            time.sleep(0.2)
            before = reads(daemon.process.pid)
            time.sleep(1)
            self.assertLess(reads(daemon.process.pid) - before, 300)
            stack.close()
            self.assertTrue(d.Frames().call("status")["ok"])
            self.assertEqual(d.http("GET", "/v1/status")[0], 200)

    def test_writing_that_does_not_end_is_said(self):
        delay = ["setsid", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e",
                 "inject=renameat2:delay_enter=30000000"]
        if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode:
            self.skipTest("strace cannot trace here")
        with d.Daemon({"manage_policies": True, "browsers": ["chromium"]}, under=delay) as daemon:
            # The service ends with strace no more than any other child does.
            self.addCleanup(subprocess.run, ["pkill", "-KILL", "-s", str(daemon.process.pid)], check=False)
            d.wait_for(lambda: b"\nicelock_policy_failed 1\n" in d.http("GET", "/metrics")[2], "the word", 25)
            self.assertIn("policy_failed", json.dumps(d.Frames().call("status")))


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
