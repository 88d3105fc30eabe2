# SPDX-License-Identifier: Apache-2.0
"""What other programs would read in an export: small readers of our own, written from the formats' documents."""

import json
import re
import struct

LEVEL_KEY = {"chrome": "WebRtcIPHandling", "chromium": "WebRtcIPHandling", "edge": "WebRtcLocalhostIpHandling",
             "brave": "WebRtcIPHandling", "vivaldi": "WebRtcIPHandling"}
REGISTRY = {"chrome": r"SOFTWARE\Policies\Google\Chrome", "chromium": r"SOFTWARE\Policies\Chromium",
            "edge": r"SOFTWARE\Policies\Microsoft\Edge", "brave": r"SOFTWARE\Policies\BraveSoftware\Brave",
            "vivaldi": r"SOFTWARE\Policies\Vivaldi", "firefox": r"SOFTWARE\Policies\Mozilla\Firefox"}
DOMAIN = {"chrome": "com.google.Chrome", "chromium": "org.chromium.Chromium", "edge": "com.microsoft.Edge",
          "brave": "com.brave.Browser", "vivaldi": "com.vivaldi.Vivaldi", "firefox": "org.mozilla.firefox"}


def registry_file(data):
    """(key, name) -> (type, value) of a .reg file; (key, name) -> None where it takes a value away."""
    assert data[:2] == b"\xff\xfe", "no byte order mark"
    text = data[2:].decode("utf-16-le")
    assert "\n" not in text.replace("\r\n", ""), "a line ends without CR"
    assert text.startswith("Windows Registry Editor Version 5.00\r\n\r\n")
    assert all(len(line) <= 80 for line in text.split("\r\n") if "hex(" in line or line.startswith("  "))
    found, key = {}, None
    for line in text.replace("\\\r\n  ", "").split("\r\n")[1:]:
        if line.startswith("["):
            key = line[1:-1]
            assert key not in {each for each, _ in found}, "a key is there twice"
        elif line:
            name, value = re.fullmatch(r'"((?:[^"\\]|\\.)*)"=(.*)', line).groups()
            found[key.removeprefix("HKEY_LOCAL_MACHINE\\"), name] = registry_value(value)
    return found


def registry_value(text):
    if text == "-":
        return None
    if text.startswith("dword:"):
        return 4, int(text[6:], 16)
    if text.startswith("hex(7):"):
        data = bytes.fromhex(text[7:].replace(",", ""))
        return 7, multi(data)
    return 1, re.sub(r"\\(.)", r"\1", text[1:-1])


def multi(data):
    text = data.decode("utf-16-le")
    assert text.endswith("\0\0")
    return text[:-2].split("\0")


def registry_pol(data):
    """The same of a registry.pol, by [MS-GPREG] 2.2."""
    assert data[:8] == b"PReg\x01\0\0\0"
    found, at = {}, 8

    def text():
        nonlocal at
        end = at
        while data[end:end + 2] != b"\0\0":
            end += 2
        word, at = data[at:end].decode("utf-16-le"), end + 2
        return word

    def mark(char):
        nonlocal at
        assert data[at:at + 2] == char.encode("utf-16-le"), (at, char)
        at += 2

    while at < len(data):
        mark("[")
        key = text()
        mark(";")
        name = text()
        mark(";")
        kind, = struct.unpack_from("<I", data, at)
        at += 4
        mark(";")
        size, = struct.unpack_from("<I", data, at)
        at += 4
        mark(";")
        value, at = data[at:at + size], at + size
        mark("]")
        if kind == 4:
            value, = struct.unpack("<I", value)
        else:
            value = multi(value) if kind == 7 else value.decode("utf-16-le").removesuffix("\0")
        found[key, name] = (kind, value)
    return found


def as_browser(browser, values):
    """What a browser on Windows makes of its registry values: the policies as JSON."""
    found, start = {}, REGISTRY[browser]
    for (key, name), (kind, value) in values.items():
        if key != start and not key.startswith(start + "\\"):
            continue
        place = found
        for part in key[len(start) + 1:].split("\\") if key != start else []:
            place = place.setdefault(part, {})
        if kind == 7:
            value = json.loads("\n".join(value))
        elif kind == 1 and value[:1] in "[{":
            value = json.loads(value)
        place[name] = value
    if browser != "firefox":
        for extension, members in found.get("3rdparty", {}).get("extensions", {}).items():
            found["3rdparty"]["extensions"][extension] = members["policy"]
    return with_lists(found)


def with_lists(value):
    """Members that are numbered are a list."""
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [value[name] for name in sorted(value, key=int)]
    return {name: with_lists(member) for name, member in value.items()}
