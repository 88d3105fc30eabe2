#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants faults in a small tree and sees check.py find each, and find none without them."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check

HERE = Path(__file__).resolve().parent
LICENSE = "SPDX-License-Identifier: Apache-2.0"
HEADERS = ["base/error.h", "net/probe.h", "ice/exposure.h", "ice/gather.h", "policy/render.h",
           "guard/guard.h", "guard/settings.h", "ipc/frame.h", "app/wiring.h"]

# (file below host/, include, whether it is allowed)
INCLUDES = [
    ("base/fd.cpp", '"base/error.h"', True),
    ("base/fd.cpp", '"net/probe.h"', False),
    ("net/watch.cpp", '"base/error.h"', True),
    ("net/watch.cpp", '"policy/render.h"', False),
    ("policy/store.cpp", '"net/probe.h"', False),
    ("ipc/server.cpp", '"guard/guard.h"', False),
    ("ice/exposure.cpp", '"net/probe.h"', True),
    ("ice/exposure.cpp", '"ice/gather.h"', False),
    ("ice/exposure.cpp", '"policy/render.h"', False),
    ("guard/decide.cpp", '"ice/exposure.h"', True),
    ("guard/decide.cpp", '"ice/gather.h"', False),
    ("guard/decide.cpp", '"ipc/frame.h"', False),
    ("cli/icelock.cpp", '"ice/gather.h"', True),
    ("cli/icelock.cpp", '"nowhere/file.h"', False),
    ("cli/icelock.cpp", '"wiring.h"', False),
    ("cli/icelock.cpp", "<app/wiring.h>", False),
    ("net/watch.cpp", "<net/probe.h>", False),
    ("other/new.cpp", '"base/error.h"', False),
    ("guard/settings.cpp", "<nlohmann/json.hpp>", True),
    ("guard/decide.cpp", "<nlohmann/json_fwd.hpp>", False),
    ("net/watch.cpp", "<nlohmann/json.hpp>", False),
    ("check/check_page.cpp", "<httplib.h>", True),
    ("ipc/http_codec.cpp", "<httplib.h>", False),
    ("ipc/http_head.cpp", "<boost/beast/http/parser.hpp>", True),
    ("ipc/http_codec.cpp", "<boost/beast/http/parser.hpp>", False),
    ("ice/gather.cpp", "<nice/agent.h>", True),
    ("ice/exposure.cpp", "<nice/agent.h>", False),
    ("cli/icelock.cpp", "<glib.h>", False),
    ("net/netlink_read.cpp", "<libmnl/libmnl.h>", True),
    ("guard/guard.cpp", "<libmnl/libmnl.h>", False),
    ("base/run.cpp", "<boost/process/v2/process.hpp>", True),
    ("base/file.cpp", "<boost/asio/read.hpp>", False),
    ("cli/icelock.cpp", "<CLI/CLI.hpp>", True),
    ("policy/audit.cpp", "<CLI/CLI.hpp>", False),
    ("net/watch.cpp", "<linux/rtnetlink.h>", True),
    ("net/watch.cpp", "<net/if.h>", True),
    ("net/watch.cpp", "<vector>", True),
    ("net/watch.cpp", "<fmt/core.h>", False),
]


class StyleTest(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="icelock_style_"))
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copy(HERE.parents[1] / ".clang-format", self.root)
        for header in HEADERS:
            self.put(f"host/{header}", f"// {LICENSE}\n#pragma once\n")
        self.put("host/base/error.cpp", f'// {LICENSE}\n#include "base/error.h"\n\nint x = 1;\n')
        self.put("tests/lab/enter", f"#!/bin/bash\n# {LICENSE}\necho \"$1\"\n")

    def put(self, path, content):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")

    def check(self, name):
        command = [sys.executable, str(HERE / "check.py"), name, "--root", str(self.root)]
        return subprocess.run(command, text=True, check=False, stdout=subprocess.PIPE)

    def assert_clean(self, name):
        done = self.check(name)
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout)

    def assert_fault(self, name, word):
        done = self.check(name)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(word, done.stdout)

    def test_each_include_is_judged_as_the_table_says(self):
        self.assert_clean("includes")
        for path, header, allowed in INCLUDES:
            with self.subTest(path=path, header=header):
                self.put(f"host/{path}", f"// {LICENSE}\n\n  #  include {header}\n")
                faults = list(check.check_includes(self.root))
                self.assertEqual([fault.split(" ")[0] for fault in faults],
                                 [] if allowed else [f"host/{path}:3:"])
                (self.root / "host" / path).unlink()

    def test_a_bad_include_fails_the_check(self):
        self.put("host/net/watch.cpp", f'// {LICENSE}\n#include "policy/render.h"\n')
        self.assert_fault("includes", "net may not include policy/render.h")

    def test_files(self):
        self.assert_clean("files")
        faults = [
            ("host/base/a.cpp", "int a;\n", "a.cpp: no SPDX"),
            ("host/base/a.h", f"// {LICENSE}\nint a;\n", "a.h: no #pragma once"),
            ("host/base/a.cpp", f"// {LICENSE}\n" + "\n" * 400, "401 lines"),
            ("tests/lab/run", "#!/usr/bin/env python3\n", "run: no SPDX"),
            (".ci/run", "#!/bin/bash\n", "run: no SPDX"),
            ("tests/CMakeLists.txt", "add_subdirectory(x)\n", "CMakeLists.txt: no SPDX"),
        ]
        for path, content, word in faults:
            with self.subTest(path=path, word=word):
                self.put(path, content)
                self.assert_fault("files", word)
                (self.root / path).unlink()
        self.put("host/base/a.cpp", f"// {LICENSE}\n" + "\n" * 399)
        self.put("build/x/a.cpp", "int a;\n")
        self.put("tests/extension/node_modules/a/a.js", "a\n")
        self.assert_clean("files")

    def test_format(self):
        self.assert_clean("format")
        self.put("host/base/a.cpp", f"// {LICENSE}\nint  a ;\n")
        self.assert_fault("format", "a.cpp")

    def test_shell(self):
        self.assert_clean("shell")
        for path, first in (("tests/lab/a", "#!/usr/bin/env bash"), (".ci/run", "#!/bin/sh"),
                            ("installer/a.sh", "#!/bin/bash")):
            with self.subTest(path=path):
                self.put(path, f"{first}\n# {LICENSE}\nrm -r $1/*\n")
                self.assert_fault("shell", path)
                (self.root / path).unlink()

    def test_a_wrong_root_is_no_success(self):
        self.root = self.root / "host"
        self.assertNotEqual(self.check("includes").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)
