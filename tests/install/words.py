#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb and option of `icelock --help` is in the manual page and in each completion, and these know no others.

usage: words.py PROGRAM
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPLETIONS = ["bash", "zsh", "fish"]


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def verbs_of(program):
    """Each verb with its options, as the program tells them."""
    listed = said(program, "--help").partition("Subcommands:")[2]
    names = re.findall(r"^  ([a-z][a-z-]*)\s", listed, re.MULTILINE)
    return {name: set(re.findall(r"^  (?:-[a-z],)?--([a-z-]+)", said(program, name, "--help"),
                                 re.MULTILINE)) for name in names}


def page_words(text):
    """The verbs and the options that the manual page explains."""
    body = text.partition(".Ss Verbs")[2]
    verbs, _, options = body.partition(".Ss Options")
    options = options.partition(".Sh ")[0]
    return (set(re.findall(r"^\.It Cm ([a-z-]+)", verbs, re.MULTILINE)),
            set(re.findall(r"^\.It Fl -([a-z-]+)", options, re.MULTILINE)))


def completion_words(shell, text):
    """The verbs, and the options of all verbs, that a completion offers."""
    options = set(re.findall(r"(?<![\w-])--([a-z-]+)", text))
    if shell == "bash":
        verbs = re.search(r"'' *\) words='([^']*)'", text)[1].split()
    elif shell == "zsh":
        verbs = re.findall(r"^    '([a-z-]+):", text, re.MULTILINE)
    else:
        verbs = re.search(r"^set -l verbs (.*)$", text, re.MULTILINE)[1].split()
        described = set(re.findall(r'from \$verbs" -a ([a-z-]+)', text))
        if described != set(verbs):
            verbs = described ^ set(verbs)  # differs either way, and is named
        options = set(re.findall(r"(?<=-l )[a-z]+(?= -)", text))
    return {verb for verb in verbs if not verb.startswith("-")}, options


def faults(where, found, wanted):
    for kind, here, there in zip(("verb", "option"), found, wanted):
        for word in sorted(there - here):
            yield f"{where}: no {kind} {word}"
        for word in sorted(here - there):
            yield f"{where}: {kind} {word}, which icelock does not have"


def main():
    verbs = verbs_of(sys.argv[1])
    if len(verbs) < 5:
        sys.exit(f"icelock --help was not understood: {sorted(verbs)}")
    options = set().union(*verbs.values()) | {"version", "help"}
    wanted = (set(verbs), options)
    found = list(faults("docs/man/icelock.1", page_words(
        (ROOT / "docs/man/icelock.1").read_text(encoding="utf-8")), wanted))
    for shell in COMPLETIONS:
        file = ROOT / f"installer/completions/icelock.{shell}"
        text = re.sub(r"^#.*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += faults(file.relative_to(ROOT), completion_words(shell, text), wanted)
    print("\n".join(found) or f"{len(verbs)} verbs and {len(options)} options are everywhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
