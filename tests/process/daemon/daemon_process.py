# SPDX-License-Identifier: Apache-2.0
"""A running icelockd, and somebody at each of its doors. The tests run in mount and network
namespaces of their own: enter() sees to that."""

import fcntl
import json
import os
import pickle
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

BIN = os.environ["ICELOCK_BIN"]
DAEMON = os.path.join(BIN, "icelockd")
GROUP = 4444
MEMBER = (4001, GROUP)
NOBODY = (65534, 65534)
ROOT = (0, 0)
SOCKETS = {"host": "/run/icelock/host.sock", "http": "/run/icelock/http.sock"}


def enter():
    """Goes on in namespaces where /etc, /run, /var/lib and the network are the test's own."""
    if os.environ.get("ICELOCK_DAEMON_TEST") == "inside":
        return
    if os.getuid() != 0:
        print("skipped: only root may make the namespaces and be several users")
        sys.exit(77)
    script = f"""
      set -e
      mount -t tmpfs -o mode=0755 tmpfs /run
      mount -t tmpfs -o mode=0755 tmpfs /var/lib
      mkdir /run/etc && cp /etc/passwd /etc/nsswitch.conf /run/etc/ && cp /etc/group /run/etc/group
      cp -r /etc/alternatives /etc/ld.so.cache /run/etc/ 2>/dev/null || true
      echo 'icelock:x:{GROUP}:' >> /run/etc/group
      mount --bind /run/etc /etc
      ip link set lo up
      exec "$@"
    """
    os.environ["ICELOCK_DAEMON_TEST"] = "inside"
    os.execvp("unshare", ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", script,
                          "sh", sys.executable, "-B", *sys.argv])


def ip(*words):
    subprocess.run(["ip", *" ".join(words).split()], check=True)


class Laptop:
    """A card with a default route, and a tunnel that comes and goes."""

    def __init__(self):
        ip("link add enp3s0 type veth peer name far0")
        ip("link set far0 up")
        ip("addr add 192.168.77.10/24 dev enp3s0")
        ip("link set enp3s0 up")
        ip("route add default via 192.168.77.1")
        self.tun = None

    def connect(self):
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
        ip("addr add 10.8.0.2/24 dev tun0")
        ip("link set tun0 up")
        ip("route add 0.0.0.0/1 via 10.8.0.1")
        ip("route add 128.0.0.0/1 via 10.8.0.1")

    def drop(self):
        if self.tun is not None:
            os.close(self.tun)
            self.tun = None

    def close(self):
        self.drop()
        ip("link del enp3s0")


class Daemon:
    def __init__(self, settings=None, under=()):
        self.process = None
        self.under = under  # a program that runs it, such as strace
        for folder in ("/run/icelock", "/var/lib/icelock", "/etc/icelock", "/etc/chromium",
                       "/etc/firefox"):
            shutil.rmtree(folder, ignore_errors=True)
        if settings is not None:
            self.settings(settings)
        self.start()

    def settings(self, content):
        os.makedirs("/etc/icelock", exist_ok=True)
        with open("/etc/icelock/new", "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        os.replace("/etc/icelock/new", "/etc/icelock/icelock.json")

    def start(self):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([*self.under, DAEMON], stderr=subprocess.PIPE, bufsize=0)
        os.set_blocking(self.process.stderr.fileno(), False)
        wait_for(lambda: self.answers(), "the service to answer")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"icelockd ended: {self.log()}")
        try:
            return Frames().call("status")["ok"]
        except OSError:
            return False

    def log(self):
        if self.process.stderr.closed:
            return ""
        return (self.process.stderr.read() or b"").decode()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process.stderr.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


class Frames:
    """A connection to the frames door."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(SOCKETS["host"])
        self.buffer = b""
        self.pushes = []
        self.seen = []  # every pushed state that push() passed by

    def __del__(self):
        self.socket.close()

    def send(self, payload):
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.socket.sendall(struct.pack("=I", len(data)) + data)

    def receive(self):
        while True:
            if len(self.buffer) >= 4:
                size = struct.unpack("=I", self.buffer[:4])[0]
                if len(self.buffer) >= 4 + size:
                    data, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
                    return json.loads(data)
            more = self.socket.recv(65536)
            if not more:
                raise OSError("closed")
            self.buffer += more

    def call(self, op, **arguments):
        self.send({"v": 1, "id": 7, "op": op, **arguments})
        while True:
            message = self.receive()
            if "event" not in message:
                return message
            self.pushes.append(message)

    def push(self, until, seconds=30):
        """The next pushed state that `until` accepts."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pushes:
                message = self.pushes.pop(0)
            else:
                if not self.buffer and not select.select([self.socket], [], [], 0.2)[0]:
                    continue
                message = self.receive()
            if "event" not in message:
                continue
            self.seen.append(message["state"])
            if until(message["state"]):
                return message["state"]
        raise AssertionError("no such state was pushed")


def http(method, path, body=b"", head=()):
    """One request to the HTTP door: status, header lines, body."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(60)
        door.connect(SOCKETS["http"])
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *head]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        door.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while more := door.recv(65536):
            answer += more
    head_text, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = head_text.decode().split("\r\n")
    return int(first.split()[1]), rest, content


def as_user(who, function):
    """What `function` returns when (uid, gid) calls it."""
    if who == ROOT:
        return function()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(who[1], who[1], who[1])
            os.setresuid(who[0], who[0], who[0])
            result = (True, function())
        except BaseException as error:  # pylint: disable=broad-exception-caught
            result = (False, repr(error))
        os.write(write, pickle.dumps(result))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        good, value = pickle.load(pipe)
    os.waitpid(child, 0)
    assert good, value
    return value


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
