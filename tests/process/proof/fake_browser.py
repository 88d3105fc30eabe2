#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands where icelock looks for a browser. What it does is in the file "script" beside the scratch root: a JSON object
with "act", the candidates to tell, and so on. It leaves notes there of what it saw."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(sys.argv[0]).resolve().parents[2]
SCRIPT = json.loads((ROOT / "script").read_text(encoding="utf-8"))
SHOWN = {"api": True, "error": "", "candidates": []}


def ask(url, method="GET", body=None, host=None, headers=None):
    """(status, text)"""
    place = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
    path = place.path + ("?" + place.query if place.query else "")
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or place.netloc)
    if body is not None and not (headers and "Transfer-Encoding" in headers):
        connection.putheader("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        if body:
            connection.send(body)
    except OSError:
        pass  # refused before all was sent
    try:
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


def task_of(page):
    return json.loads(re.search(r'type="application/json">(.*?)</script>', page)[1])


def answer_url(url, task):
    return urlsplit(url)._replace(path=task["answer"]).geturl()


def tell(url, candidates):
    """What the real page does; returns where it leads."""
    task = task_of(ask(url)[1])
    body = json.dumps(SHOWN | {"candidates": candidates}).encode()
    ask(answer_url(url, task), "POST", body)
    return task["next"]


def attack(url):
    """Every request that must be refused, by name: its status. The page must still be open afterwards."""
    task = task_of(ask(url)[1])
    target, place = answer_url(url, task), urlsplit(url)
    good = json.dumps(SHOWN).encode()
    candidate = {"address": "192.0.2.1", "type": "host", "sources": ["sdp"]}

    def told(**changes):
        return ask(target, "POST", json.dumps(SHOWN | changes).encode())[0]

    return {
        "other host": ask(url, host=f"evil.example:{place.port}")[0],
        "other name of this host": ask(url, host=f"localhost:{place.port}")[0],
        "no port": ask(url, host="127.0.0.1")[0],
        "no path": ask(f"http://{place.netloc}/")[0],
        "other path": ask(f"http://{place.netloc}/{'0' * 32}")[0],
        "longer path": ask(url + "0")[0],
        "query": ask(url + "?x")[0],
        "put": ask(target, "PUT", good)[0],
        "delete": ask(url, "DELETE")[0],
        "answer to another host": ask(target, "POST", good, host="evil.example")[0],
        "the second page by the first one's name":
            ask(urlsplit(task["next"])._replace(netloc=place.netloc).geturl())[0],
        "chunked": ask(target, "POST", b"2\r\n{}\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})[0],
        "packed": ask(target, "POST", good, headers={"Content-Encoding": "gzip"})[0],
        "too large": ask(target, "POST", b" " * 70000)[0],
        "no json": ask(target, "POST", b"hello")[0],
        "a list": ask(target, "POST", b"[]")[0],
        "unknown member": told(more=1),
        "not an address": told(candidates=[candidate | {"address": "example.com"}]),
        "markup": told(candidates=[candidate | {"address": "<b>.local"}]),
        "unknown type": told(candidates=[candidate | {"type": "x"}]),
        "unknown source": told(candidates=[candidate | {"sources": ["x"]}]),
        "too many": told(candidates=[candidate] * 300),
        "deep": ask(target, "POST", b'{"api":' + b"[" * 1000 + b"]" * 1000 + b"}")[0],
    }


def note_pid(pid):
    with open(ROOT / "pids", "a", encoding="ascii") as pids:
        pids.write(f"{pid}\n")


def linger():
    """A child that leaves its group and its session, and one that does so twice over."""
    code = ("import os, sys, time\nos.setsid()\nif os.fork(): os._exit(0)\n"
            f"open({str(ROOT / 'pids')!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)")
    subprocess.Popen([sys.executable, "-c", code])
    sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
    note_pid(sleeper.pid)


def main():
    start = Path(urlsplit(sys.argv[-1]).path).read_text(encoding="utf-8")
    url = re.search(r"url=([^\"]+)", start)[1]
    (ROOT / "url").write_text(url, encoding="utf-8")
    (ROOT / "argv").write_text(json.dumps(sys.argv[1:]), encoding="utf-8")
    (ROOT / "environment").write_text(json.dumps(dict(os.environ)), encoding="utf-8")
    note_pid(os.getpid())
    act = SCRIPT["act"]
    if act == "die":
        print("first\nboom\x1b[31m\n", file=sys.stderr)
        sys.exit(7)
    if act in ("linger", "linger_and_wait"):
        linger()
    if act in ("tell", "linger", "attack"):
        if act == "attack":
            (ROOT / "statuses").write_text(json.dumps(attack(url)), encoding="utf-8")
        second = tell(url, SCRIPT.get("plain", []))
        if act == "attack":
            again = ask(url)[0]
            (ROOT / "again").write_text(str(again), encoding="ascii")
        tell(second, SCRIPT.get("granted", []))
    time.sleep(600)


main()
