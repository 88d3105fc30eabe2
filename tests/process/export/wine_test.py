#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wine's registry editor takes the export in, its reg.exe reads it back, and the undo takes it away.

wine runs in a folder of its own, without a display and without a network. (ICELOCK_BIN: where the programs are)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import readers

PROGRAM = os.path.join(os.environ.get("ICELOCK_BIN", "build/dev/bin"), "icelock")
WINE = next((path for path in ("/usr/lib/wine/wine64", "/usr/bin/wine64") if os.path.exists(path)), None)
SERVER = next((path for path in ("/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver")
               if os.path.exists(path)), None)
DOCUMENT = '{"level": "force_proxy", "sites": [{"pattern": "meet.example"}]}'
KINDS = {"REG_SZ": 1, "REG_DWORD": 4, "REG_MULTI_SZ": 7}
OTHER = r"SOFTWARE\Policies\Google\Chrome"


class Wine(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="icelock-wine-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "WINEPREFIX": str(self.folder / "prefix"),
                    "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe="}
        self.addCleanup(subprocess.run, [SERVER, "-k", "-w"], env=self.env, check=False, timeout=60)
        self.wine("wineboot", "-i")

    def wine(self, *words, code=0):
        ran = subprocess.run([WINE, *words], env=self.env, capture_output=True, timeout=200, check=False,
                             cwd=self.folder)
        self.assertEqual(ran.returncode, code, (words, ran.stdout, ran.stderr))
        return ran.stdout.decode("utf-8", "replace")

    def policies(self):
        """(key, name) -> (type, value) of everything below Policies."""
        found, key = {}, None
        for line in self.wine("reg", "query", r"HKLM\SOFTWARE\Policies", "/s").splitlines():
            if line.startswith("HKEY_LOCAL_MACHINE\\"):
                key = line.removeprefix("HKEY_LOCAL_MACHINE\\")
            elif line.strip():
                name, kind, value = line.strip().split("    ", 2)
                found[key, name] = (KINDS[kind], value.split("\\0") if kind == "REG_MULTI_SZ" else value)
        return found

    def export(self, name):
        (self.folder / "policy.json").write_text(DOCUMENT, encoding="utf-8")
        out = self.folder / f"{name}.reg"
        subprocess.run([PROGRAM, "export", name, self.folder / "policy.json", "-o", out], check=True,
                       capture_output=True)
        return out

    def test_import_and_undo(self):
        self.wine("reg", "add", "HKLM\\" + OTHER, "/v", "HomepageLocation", "/d", "https://x.example", "/f")
        others = {(OTHER, "HomepageLocation"): (1, "https://x.example")}
        self.assertEqual(self.policies(), others)
        made = self.export("reg")
        self.wine("regedit", "/S", made.name)
        self.assertEqual(self.policies(), others | readers.registry_file(made.read_bytes()))
        self.wine("regedit", "/S", self.export("reg-undo").name)
        self.assertEqual(self.policies(), others)


if __name__ == "__main__":
    if WINE is None or SERVER is None:
        print("skipped: wine64 is not installed", file=sys.stderr)
        sys.exit(1 if os.environ.get("ICELOCK_REQUIRE") == "1" else 77)
    unittest.main()
