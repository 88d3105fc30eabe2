# SPDX-License-Identifier: Apache-2.0
"""A running icelock-host, talked to as a browser does: frames on its standard input and output."""

import json
import os
import re
import select
import struct
import subprocess
import tempfile
import time

BIN = os.environ["ICELOCK_BIN"]
HOST = os.path.join(BIN, "icelock-host")
SOURCE = os.path.join(os.path.dirname(__file__), "..", "..", "..")

with open(os.path.join(SOURCE, "host/policy/browsers.h"), encoding="utf-8") as header:
    IDS = dict(re.findall(r"(\w+_extension_id) = \"([^\"]+)\"", header.read()))

CHROMIUM_CALLER = [f"chrome-extension://{IDS['chromium_extension_id']}/"]
FIREFOX_CALLER = ["/home/someone/.mozilla/native-messaging-hosts/icelock.host.json",
                  IDS["firefox_extension_id"]]


def frame(payload):
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return struct.pack("=I", len(payload)) + payload


class Host:
    """One process with a home of its own. `with Host() as host: ...`"""

    def __init__(self, caller=None, settings=None, memory=None, runtime_is_a_link=False,
                 config="config", under=(), variables=()):
        self.home = tempfile.TemporaryDirectory(prefix="icelock-host-test-")
        self.config = os.path.join(self.home.name, config)
        self.runtime = os.path.join(self.home.name, "run")
        os.mkdir(self.runtime, 0o700)
        self.notes = os.path.join(self.runtime, "icelock")
        if runtime_is_a_link:
            os.mkdir(os.path.join(self.home.name, "elsewhere"))
            os.symlink(os.path.join(self.home.name, "elsewhere"), self.notes)
        if memory is not None:
            os.mkdir(self.notes, 0o700)
            with open(os.path.join(self.notes, "memory.json"), "w", encoding="utf-8") as file:
                file.write(memory if isinstance(memory, str) else json.dumps(memory))
        if settings is not None:
            self.write_settings(settings)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home.name,
                            "XDG_CONFIG_HOME": self.config, "XDG_RUNTIME_DIR": self.runtime}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self.environment.update(variables)
        if under:  # the leak checker cannot work under strace
            self.environment["ASAN_OPTIONS"] = "detect_leaks=0"
        self.process = subprocess.Popen(
            [*under, HOST, *(CHROMIUM_CALLER if caller is None else caller)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment, bufsize=0)
        self.buffer = b""
        self.next_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.home.cleanup()

    def write_settings(self, settings):
        folder = os.path.join(self.config, "icelock")
        os.makedirs(folder, exist_ok=True)
        stage = os.path.join(folder, "stage")
        with open(stage, "w", encoding="utf-8") as file:
            file.write(settings if isinstance(settings, str) else json.dumps(settings))
        os.replace(stage, os.path.join(folder, "icelock.json"))

    def write(self, data):
        self.process.stdin.write(data)

    def read_bytes(self, count, seconds):
        deadline = time.monotonic() + seconds
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError(f"no frame within {seconds} s")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise EOFError("the host closed its output")
            self.buffer += got
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read(self, seconds=60):
        (length,) = struct.unpack("=I", self.read_bytes(4, seconds))
        return json.loads(self.read_bytes(length, seconds))

    def ask(self, op, seconds=60, **arguments):
        """Sends a request and returns its answer; pushes on the way are dropped."""
        self.next_id += 1
        self.write(frame({"v": 1, "id": self.next_id, "op": op, **arguments}))
        while True:
            message = self.read(seconds)
            if message.get("id") == self.next_id:
                return message

    def push_of_mode(self, mode, seconds=20):
        """The next push with that mode; others before it are dropped."""
        while True:
            message = self.read(seconds)
            if message.get("event") == "state" and message["state"]["mode"] == mode:
                return message

    def end(self, seconds=60):
        """Closes the input and returns (exit code, seconds it took)."""
        ended = os.pidfd_open(self.process.pid)  # Popen.wait(timeout) would poll, and so measure itself
        self.process.stdin.close()
        start = time.monotonic()
        ready = select.select([ended], [], [], seconds)[0]
        taken = time.monotonic() - start
        os.close(ended)
        if not ready:
            raise TimeoutError(f"the host still runs after {seconds} s")
        return self.process.wait(), taken
