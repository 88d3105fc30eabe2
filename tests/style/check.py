#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of the source text. usage: check.py includes|format|shell|files [--root DIR]

Prints one line for each fault and exits 1, or 77 when the tool for the check is not installed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import layers

NOT_OURS = {"build", "node_modules", ".git", "__pycache__"}
CODE = {".cpp", ".h", ".py", ".sh", ".js", ".mjs"}
LICENSED = CODE | {".cmake", ".css"}
MAX_LINES = 400
MAX_TEST_LINES = 480
LICENSE = "SPDX-License-Identifier: Apache-2.0"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SHELL_LINE = re.compile(r"^#!.*\b(ba|da)?sh\b")


def ours(root):
    """Every file of the tree, as a path relative to it, without what is built or fetched."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NOT_OURS)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root)


def text(path):
    return path.read_text(encoding="utf-8", errors="replace")


def matches(name, patterns):
    return any(fnmatch(name, pattern) for pattern in patterns)


def fault_of_own(source, header):
    folder, target = source.split("/")[0], header.split("/")[0]
    if folder not in layers.FOLDERS:
        return f"folder {folder} has no row in layers.py"
    if folder != target and not matches(header, layers.FOLDERS[folder]):
        return f"{folder} may not include {header}"
    for half, other in layers.APART:
        if fnmatch(source, half) and fnmatch(header, other):
            return f"{half} may not include {header}"
    return None


def fault_of_foreign(source, header):
    for headers, places in layers.LIBRARIES:
        if matches(header, headers):
            return None if matches(source, places) else f"{header} is private to {', '.join(places)}"
    if "/" in header and not matches(header, layers.SYSTEM):
        return f"{header} is of a library that has no row in layers.py"
    return None


def fault_of_include(root, source, mark, header):
    own = (root / "host" / header).is_file()
    if mark == '"':
        return fault_of_own(source, header) if own else f'"{header}" is not a path below host/'
    if own:
        return f"<{header}> is our own and wants quotes"
    return fault_of_foreign(source, header)


def check_includes(root):
    for path in ours(root / "host"):
        if path.suffix not in {".cpp", ".h"}:
            continue
        content = text(root / "host" / path)
        for match in INCLUDE.finditer(content):
            fault = fault_of_include(root, path.as_posix(), match[1], match[2])
            if fault:
                line = content.count("\n", 0, match.start(2)) + 1
                yield f"host/{path}:{line}: {fault}"


def check_files(root):
    for path in ours(root):
        listed = path.suffix in LICENSED or path.name == "CMakeLists.txt"
        if not listed and not is_script(root / path):
            continue
        content = text(root / path)
        lines = content.splitlines()
        if LICENSE not in "\n".join(lines[:3]):
            yield f"{path}: no {LICENSE} in the first lines"
        limit = MAX_TEST_LINES if path.parts[0] == "tests" else MAX_LINES
        if path.suffix in CODE and len(lines) > limit:
            yield f"{path}: {len(lines)} lines, at most {limit} are allowed"
        if path.suffix == ".h" and "#pragma once" not in lines:
            yield f"{path}: no #pragma once"


def first_line(path):
    with open(path, "rb") as file:
        return file.readline(200).decode("utf-8", "replace")


def is_script(path):
    return not path.suffix and first_line(path).startswith("#!")


def shell_scripts(root):
    for path in ours(root):
        if path.suffix == ".sh" or SHELL_LINE.match(first_line(root / path)):
            yield path


def run_tool(root, command, paths):
    if not shutil.which(command[0]):
        print(f"skipped: {command[0]} is not installed")
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    if not paths:
        return
    done = subprocess.run([*command, *map(str, paths)], cwd=root, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        yield done.stdout.strip() or f"{command[0]} failed"


def check_format(root):
    paths = [path for path in ours(root) if path.suffix in {".cpp", ".h"}]
    yield from run_tool(root, ["clang-format-19", "--dry-run", "--Werror"], paths)


def check_shell(root):
    yield from run_tool(root, ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning"], list(shell_scripts(root)))


CHECKS = {"includes": check_includes, "format": check_format, "shell": check_shell,
          "files": check_files}


def main():
    parser = argparse.ArgumentParser(description="Checks of the source text.")
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    arguments = parser.parse_args()
    if not (arguments.root / "host").is_dir():
        sys.exit(f"{arguments.root} is not the project")
    faults = list(CHECKS[arguments.check](arguments.root))
    print("\n".join(faults) if faults else "clean")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
