# SPDX-License-Identifier: Apache-2.0
"""Parts that hang: each wait has an end, and what is not known is said."""

import contextlib
import fcntl
import json
import os
import shutil
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

    def test_a_lock_waits_for_no_disk(self):
        """Neither for what the policy files say nor for what only the next start needs."""
        laptop = d.Laptop()
        self.addCleanup(laptop.close)
        with d.Daemon({"manage_policies": True, "browsers": ["chromium"]}) as daemon, host_process.Host() as host:
            door = d.Frames()
            self.assertNotIn("browsers", door.call("subscribe")["state"])
            self.assertNotIn("browsers", host.ask("subscribe")["state"])
            self.assertEqual(host.read()["event"], "browsers")
            both = [daemon.process.pid, host.process.pid]
            with slow_disk(2, both):
                before = time.monotonic()
                laptop.connect()
                door.push(is_tight, 1.5)
                while not is_tight(host.read(1.5).get("state")):
                    pass
                self.assertLess(time.monotonic() - before, 1.8)
            d.wait_for(lambda: host.read().get("event") == "browsers", "the browsers")
            for note in ("/run/icelock/memory.json", os.path.join(host.notes, "memory.json")):
                d.wait_for(lambda note=note: '"tunnel_was_up":true' in text_of(note), f"{note}")

    def test_a_log_that_nobody_reads_stops_nothing(self):
        laptop = d.Laptop()
        self.addCleanup(laptop.close)
        with d.Daemon() as daemon:
            log = daemon.process.stderr.fileno()
            fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, 8192)
            door = d.Frames()
            door.socket.settimeout(5)
            for turn in range(150):
                self.assertTrue(door.call("set_mode", mode="open" if turn % 2 else "auto")["ok"])
            self.assertTrue(door.call("set_mode", mode="auto")["ok"])
            door.call("subscribe")
            laptop.connect()
            door.push(is_tight, 5)
            self.assertIn("icelockd: mode auto, said", daemon.log())
            door.call("set_mode", mode="locked")
            self.assertRegex(daemon.log(), r"warning: \d\d+ lines were lost: nobody took them\nicelockd: mode locked, said")

    def test_sockets_that_somebody_removes_come_back(self):
        with d.Daemon() as daemon:
            door = d.Frames()
            for _ in range(2):
                shutil.rmtree("/run/icelock")
                daemon.process.send_signal(signal.SIGHUP)  # or within a minute
                d.wait_for(daemon.answers, "a socket")
                self.assertEqual(d.http("GET", "/v1/status")[0], 200)
            self.assertTrue(door.call("status")["ok"], "who was in stays in")
            self.assertEqual(daemon.log().count("the sockets were gone; they are there again"), 2)
            shutil.rmtree("/run/icelock")
            os.symlink("/tmp", "/run/icelock")
            self.addCleanup(os.remove, "/run/icelock")
            daemon.process.send_signal(signal.SIGHUP)
            d.wait_for(lambda: "cannot be made: others could put a socket here" in daemon.log(), "the word")
            self.assertTrue(door.call("status")["ok"])


def is_tight(state):
    return state is not None and state["decision"]["chromium"] != "unrestricted"


def text_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


@contextlib.contextmanager
def slow_disk(seconds, processes):
    """Each file that these processes open or sync meanwhile takes so much longer."""
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode:
        raise unittest.SkipTest("strace cannot trace here")
    calls = "openat,fsync"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
               f"inject={calls}:delay_enter={int(seconds * 1e6)}"]
    for process in processes:
        command += ["-p", str(process)]
    with subprocess.Popen(command) as tracer:
        for process in processes:
            d.wait_for(lambda process=process: f"TracerPid:\t{tracer.pid}\n" in text_of(f"/proc/{process}/status"),
                       "strace")
        try:
            yield
        finally:
            tracer.terminate()


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
