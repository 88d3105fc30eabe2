# SPDX-License-Identifier: Apache-2.0
"""Names and words that somebody else chose steer no terminal, whichever verb shows them: links, policy files and their
content, settings, a reason. Exit 77: cannot run here."""

import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import unicodedata

from lone_network import PROGRAM, Case, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "policy"))
import trees  # noqa: E402

HOSTILE = "\x1b[32m\x07\x7f\x9b1m\u202e\u2066"
BYTES = HOSTILE.encode() + b"\xff\xc3"
CARD, FAR = b"\x1b[32m\x07\x9b\xe2\x80\xae", b"\x7f\xff\xc2\x9b"

VERBS = [["status"], ["predict"], ["probe"], ["mode", "auto"], ["sites"], ["allow", HOSTILE], ["deny", HOSTILE],
         ["check", "--browser", HOSTILE], ["history"], ["audit"], ["plan"], ["plan", "--browser", HOSTILE],
         ["apply", "--yes", "--reason", HOSTILE], ["history"], ["export", "json"], ["revert"], ["setup"], ["unsetup"]]
WITHOUT_ROOT = ("probe", "export")


def bad(text):
    """What no output may have: controls, those of C1 too, what turns text around, and what is no text."""
    return [hex(ord(c)) for c in text if c not in "\n\t" and
            (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
             "\u2066\u2067\u2068\u2069")]


class OutsideText(Case):
    def setUp(self):
        super().setUp()
        rename(b"card0", CARD)
        rename(b"far0", FAR)
        machine = trees.Machine(self.folder.name)
        machine.write(f"{trees.CHROMIUM}/{HOSTILE}.json", json.dumps({"WebRtcIPHandling": HOSTILE, HOSTILE: 1}))
        machine.write(f"{trees.CHROMIUM}/broken{HOSTILE}.json", b'{"WebRtcIPHandling": "' + BYTES + b'"')
        machine.firefox(json.dumps({"policies": {"Preferences": {"media.peerconnection.enabled": HOSTILE}, HOSTILE: 1}}))
        machine.write("etc/icelock/icelock.json", json.dumps({HOSTILE: HOSTILE}))

    def tearDown(self):
        rename(CARD, b"card0")
        super().tearDown()

    def run_verb(self, words, *more):
        root = () if words[0] in WITHOUT_ROOT else ("--root", self.folder.name)
        return subprocess.run([PROGRAM, *words, *root, *more], capture_output=True, check=False, timeout=60,
                              env=self.environment())

    def test_every_verb_in_words_and_as_json(self):
        for words in VERBS:
            for more in ((), ("--json",)):
                ran = self.run_verb(words, *more)
                for output in (ran.stdout, ran.stderr):
                    self.assertEqual(bad(output.decode("utf-8", "strict")), [], f"{words} {more}")
                if more and ran.stdout:
                    self.assertTrue(ran.stdout.isascii(), words)
                    json.loads(ran.stdout)
        for form in ("--sarif", "--prometheus"):
            self.assertEqual(bad(self.run_verb(["audit"], form).stdout.decode("utf-8", "strict")), [], form)

    def test_the_names_were_shown(self):
        """Or nothing was proven."""
        self.assertIn(b"goes out directly over ?[32m", self.run_verb(["status"]).stdout)
        self.assertIn(b"WebRtcIPHandling", self.run_verb(["audit"]).stdout)
        self.assertIn(b"?[32m", self.run_verb(["audit"]).stdout)

    def test_on_a_terminal_the_colours_are_icelocks_own(self):
        for words in (["status"], ["audit"], ["plan"]):
            text = on_a_terminal([PROGRAM, *words, "--root", self.folder.name], self.environment())
            self.assertIn("\x1b[", text, words)
            own = re.sub(r"\x1b\[(1|3[1236])m[^\x1b]*\x1b\[0m", "", text.replace("\r\n", "\n"))
            self.assertEqual(bad(own), [], words)
            self.assertNotIn("\x1b[32m?", text, words)


def rename(link, name):
    """ip(8) takes no such names; the kernel does (SIOCSIFNAME, netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8923, struct.pack("16s16s8x", link, name))


def on_a_terminal(command, environment):
    leader, follower = pty.openpty()
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower,
                          env=environment | {"TERM": "xterm"}) as process:
        os.close(follower)
        data = b""
        while select.select([leader], [], [], 30)[0]:
            try:
                data += os.read(leader, 65536)
            except OSError:  # the last of the other end is closed
                break
        process.wait(30)
    os.close(leader)
    return data.decode("utf-8", "strict")


if __name__ == "__main__":
    main()
