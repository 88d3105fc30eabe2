# SPDX-License-Identifier: Apache-2.0
"""Who may include whom, as docs/architecture.md has it. A new folder or library is one row.

Patterns are those of fnmatch; paths and includes are relative to host/.
"""

# What the files of a folder may include, besides the folder's own headers.
FOLDERS = {
    "base": [],
    "net": ["base/*"],
    "policy": ["base/*"],
    "ipc": ["base/*"],
    "ice": ["base/*", "net/*"],
    "guard": ["base/*", "net/*", "policy/*", "ice/exposure.h"],
    "app": ["base/*", "net/*", "ice/*", "policy/*", "guard/*", "ipc/*"],
    # The programs, which share what is in app and never see each other.
    **{program: ["base/*", "net/*", "ice/*", "policy/*", "guard/*", "ipc/*", "app/*"]
       for program in ("host", "service", "cli", "check")},
}

# Inside ice, the pure half must not see the half that does I/O.
APART = [("ice/exposure*", "ice/gather*"), ("ice/judge*", "ice/gather*")]

# Headers of each library, and the files that may include them.
LIBRARIES = [
    (["nlohmann/*"], ["policy/*", "guard/settings*", "guard/explain*", "ipc/*", "app/*", "host/*", "service/*", "cli/*", "check/*"]),
    (["valijson/*"], ["guard/settings_file.cpp"]),
    (["httplib.h"], ["check/check_page.cpp"]),
    (["nice/*", "stun/*", "glib*", "gio/*", "gobject/*"], ["ice/gather*", "ice/responder*"]),
    (["libmnl/*"], ["net/*"]),
    (["boost/uuid/*"], ["policy/export_macos.cpp"]),
    (["boost/beast/*"], ["ipc/http_head.cpp"]),
    (["boost/*"], ["base/run.cpp"]),
    (["CLI/*"], ["cli/icelock.cpp", "service/icelockd.cpp"]),
    (["systemd/*"], ["service/*"]),
]

# Headers of the system; the C++ library's have neither a dot nor a slash.
SYSTEM = ["sys/*", "linux/*", "asm/*", "net/*", "netinet/*", "arpa/*", "bits/*"]
