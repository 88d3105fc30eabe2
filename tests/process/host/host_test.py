# SPDX-License-Identifier: Apache-2.0
"""icelock-host through its outer door: whatever arrives, a coded answer or a clean exit."""

import glob
import json
import os
import re
import struct
import subprocess
import time
import unittest

from host_process import BIN, CHROMIUM_CALLER, FIREFOX_CALLER, HOST, SOURCE, Host, frame

LIMIT = 64 * 1024
STATUS = {"v": 1, "id": 1, "op": "status"}


def padded_request(size):
    request = json.dumps({"v": 1, "id": 1, "op": "status", "pad": ""})
    return request[:-2] + "x" * (size - len(request)) + request[-2:]


def slow(call, seconds):
    """What to run a host under so that each such system call of it begins so much later."""
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode:
        raise unittest.SkipTest("strace cannot trace here")
    return ("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:delay_enter={int(seconds * 1e6)}")


class Frames(unittest.TestCase):
    def test_byte_by_byte(self):
        with Host() as host:
            for byte in frame(STATUS):
                host.write(bytes([byte]))
                time.sleep(0.001)
            self.assertTrue(host.read()["ok"])
            self.assertEqual(host.end()[0], 0)

    def test_two_in_one_write(self):
        with Host() as host:
            host.write(frame(STATUS) + frame({**STATUS, "id": "two"}))
            self.assertEqual([host.read()["id"], host.read()["id"]], [1, "two"])

    def test_split_at_each_offset(self):
        with Host() as host:
            data = frame(STATUS)
            for cut in range(1, len(data)):
                host.write(data[:cut])
                time.sleep(0.002)
                host.write(data[cut:])
                self.assertTrue(host.read()["ok"], cut)

    def test_length_zero(self):
        with Host() as host:
            host.write(struct.pack("=I", 0) + frame(STATUS))
            self.assertEqual(host.read()["code"], "bad_json")
            self.assertTrue(host.read()["ok"])

    def test_the_limit_and_one_more(self):
        with Host() as host:
            host.write(frame(padded_request(LIMIT)))
            self.assertTrue(host.read()["ok"])
            host.write(frame(padded_request(LIMIT + 1)))
            self.assertEqual(host.read()["code"], "too_large")
            self.assertEqual(host.process.wait(60), 1)

    def test_a_length_of_four_gigabytes(self):
        with Host() as host:
            host.write(b"\xff\xff\xff\xff")
            answer = host.read()
            self.assertEqual((answer["id"], answer["code"]), (None, "too_large"))
            self.assertEqual(host.process.wait(60), 1)

    def test_input_that_ends_inside_a_frame(self):
        data = frame(STATUS)
        for cut in range(1, len(data)):
            with Host() as host:
                host.write(data[:cut])
                host.process.stdin.close()
                self.assertEqual(host.read()["code"], "bad_frame", cut)
                self.assertEqual(host.process.wait(60), 1)

    def test_input_that_ends_at_once(self):
        with Host() as host:
            self.assertEqual(host.end()[0], 0)


class Requests(unittest.TestCase):
    def test_each_wrong_request_has_its_code_and_the_host_goes_on(self):
        cases = [
            (b"\xff\xfe\xfd", None, "bad_json"),
            (b'{"v":1,"id":1,"op":"\xc3\x28"}', None, "bad_json"),
            ('{"v":1,"id":1', None, "bad_json"),
            ("[" * 60000, None, "bad_json"),
            ('{"a":' * 9000 + "1" + "}" * 9000, None, "bad_json"),
            ("null", None, "bad_request"),
            ([1, 2], None, "bad_request"),
            ({"v": 1, "op": "status"}, None, "bad_request"),
            ({"v": 1, "id": [1], "op": "status"}, None, "bad_request"),
            ({"id": 1, "op": "status"}, 1, "bad_request"),
            ({"v": 99, "id": 1, "op": "status"}, 1, "version"),
            ({"v": 1, "id": 1, "op": 5}, 1, "bad_request"),
            ({"v": 1, "id": "x", "op": "fly"}, "x", "unknown_op"),
            ({"v": 1, "id": 2, "op": "fly" * 9999}, 2, "unknown_op"),
            ({"v": 1, "id": 1, "op": "set_mode"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "set_mode", "mode": 3}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "set_mode", "mode": "closed"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "set_mode", "mode": "locked", "level": "most"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "set_mode", "mode": "open", "level": "disabled"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "report"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "report", "serial": -1}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "report", "serial": 1, "value": "x"}, 1, "bad_request"),
            ({"v": 1, "id": 1, "op": "report", "serial": 1, "value": "x" * 300,
              "level_of_control": "y"}, 1, "too_large"),
            ({"v": 1, "id": 1, "op": "probe", "stun": 3}, 1, "bad_request"),
        ]
        with Host() as host:
            for payload, identity, code in cases:
                host.write(frame(payload))
                answer = host.read()
                shown = str(payload)[:60]
                self.assertEqual((answer["ok"], answer["id"], answer["code"]),
                                 (False, identity, code), shown)
                self.assertTrue(answer["what"], shown)
            self.assertTrue(host.ask("status")["ok"])
            self.assertEqual(host.end()[0], 0)

    def test_status_has_the_documented_keys(self):
        with Host() as host:
            state = host.ask("status")["state"]
        self.assertEqual(state["v"], 1)
        for key in ("network", "tunnels", "mode", "decision", "reasons", "browsers"):
            self.assertIn(key, state)
        self.assertIn(state["network"]["ipv4"]["verdict"],
                      ("direct", "tunnel", "partial", "ipsec", "blocked", "none"))
        self.assertEqual({row["id"] for row in state["browsers"]},
                         {"chrome", "chromium", "edge", "brave", "vivaldi", "firefox"})

    def test_a_mode_is_kept_pushed_and_shared(self):
        with Host(settings={"hold_seconds": 7}) as host:
            host.ask("subscribe")
            state = host.ask("set_mode", mode="locked", level="disabled")["state"]
            self.assertEqual((state["mode"], state["mode_level"]), ("locked", "disabled"))
            self.assertEqual(state["decision"], {"chromium": "disabled", "firefox": "disabled"})
            with open(os.path.join(host.config, "icelock/icelock.json"), encoding="utf-8") as file:
                self.assertEqual(json.load(file),
                                 {"hold_seconds": 7, "mode": "locked", "level": "disabled"})

    def test_a_push_of_the_browsers_follows_the_states(self):
        with Host() as host:
            self.assertNotIn("browsers", host.ask("subscribe")["state"])
            for mode in ("locked", "open", None):
                push = host.read()
                self.assertEqual((push["event"], "id" in push), ("browsers", False))
                self.assertEqual({row["id"] for row in push["browsers"]},
                                 {"chrome", "chromium", "edge", "brave", "vivaldi", "firefox"})
                if mode:
                    self.assertNotIn("browsers", host.ask("set_mode", mode=mode)["state"])

    def test_settings_changed_by_another_program_arrive_as_a_push(self):
        with Host() as host:  # its settings folder does not exist yet
            host.ask("subscribe")
            host.write_settings({"mode": "locked"})
            push = host.push_of_mode("locked")
            self.assertEqual(push["event"], "state")
            self.assertNotIn("id", push)
            self.assertEqual(push["state"]["decision"]["chromium"], "force_proxy")

    def test_folders_made_while_the_host_looks_for_them_are_not_missed(self):
        with Host(config="a/b/c/d/e/f", under=slow("inotify_add_watch", 0.1)) as host:
            host.ask("subscribe")
            folder = host.home.name
            for name in "abcdef":
                folder = os.path.join(folder, name)
                os.mkdir(folder)
                time.sleep(0.13)
            host.write_settings({"mode": "locked"})
            host.push_of_mode("locked")
            self.assertEqual(host.end()[0], 0)

    def test_settings_written_while_the_host_starts_are_not_missed(self):
        with Host(settings={"mode": "auto"}, under=slow("inotify_init1", 1.5)) as host:
            time.sleep(0.8)
            host.write_settings({"mode": "locked"})
            self.assertEqual(host.ask("status")["state"]["mode"], "locked")
            self.assertEqual(host.end()[0], 0)

    def test_settings_in_a_folder_that_took_the_place_of_another(self):
        with Host(settings={"mode": "auto"}) as host:
            host.ask("subscribe")
            folder = os.path.join(host.config, "icelock")
            for number, mode in enumerate(("locked", "open", "locked")):
                os.rename(folder, f"{folder}.{number}")
                host.write_settings({"mode": mode})
                host.push_of_mode(mode)

    def test_broken_settings_lock_and_say_so(self):
        with Host(settings='{"mode":"opne"}') as host:
            state = host.ask("status")["state"]
            self.assertEqual(state["decision"], {"chromium": "force_proxy", "firefox": "force_proxy"})
            self.assertEqual(state["reasons"][0]["code"], "settings_broken")
            self.assertEqual(host.ask("set_mode", mode="open")["code"], "bad_settings")

    def test_a_hold_outlives_the_host_that_began_it(self):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        for memory, held in (({"tunnel_was_up": True}, True),
                             ({"tunnel_was_up": False, "held_until_ns": now + 30 * 10**9}, True),
                             ({"tunnel_was_up": False, "held_until_ns": now - 1}, False),
                             ({"held_until_ns": 2**63 - 1}, True),  # of another boot
                             ("{", False)):
            with Host(memory=memory) as host:
                state = host.ask("status")["state"]
                if state["network"]["ipv4"]["verdict"] not in ("direct", "none"):
                    self.skipTest("this machine is behind a VPN")
                self.assertEqual(state["held_seconds"] > 0, held, memory)
                self.assertLessEqual(state["held_seconds"], 60)
                self.assertEqual(state["decision"]["chromium"] == "force_proxy", held, memory)

    def test_paths_that_no_kernel_opens_lock_and_delay_nothing(self):
        for name, broken in (("XDG_CONFIG_HOME", True), ("HOME", False), ("XDG_RUNTIME_DIR", False)):
            with Host(variables={name: "/" + "a/" * 50_000}) as host:
                state = host.ask("status", 5)["state"]
                if broken:
                    self.assertEqual(state["reasons"][0]["code"], "settings_broken")
                    self.assertEqual(state["decision"]["chromium"], "force_proxy")
                self.assertTrue(host.ask("report", 5, serial=1, value="x", level_of_control="y")["ok"])
                self.assertEqual(host.end()[0], 0)

    def test_another_users_runtime_folder_is_not_touched(self):
        with Host(runtime_is_a_link=True) as host:
            self.assertTrue(host.ask("report", serial=1, value="x", level_of_control="y")["ok"])
            self.assertEqual(os.listdir(os.path.join(host.home.name, "elsewhere")), [])

    def test_a_report_is_what_status_shows(self):
        with Host() as host:
            serial = host.ask("status")["serial"]
            self.assertTrue(host.ask("report", serial=serial, value="disable_non_proxied_udp",
                                     level_of_control="controlled_by_this_extension",
                                     level="force_proxy")["ok"])
            row = next(row for row in host.ask("status")["state"]["browsers"]
                       if row["id"] == "chromium")
            self.assertEqual((row["level"], row["controlled_by"]), ("force_proxy", "extension"))
            # Another program of the same user sees it too, as long as this host lives.
            rows = self.cli_browsers(host)
            self.assertEqual(rows["chromium"]["level"], "force_proxy")
            host.process.kill()
            host.process.wait()
            self.assertIsNone(self.cli_browsers(host)["chromium"]["level"])
            self.assertEqual(glob.glob(os.path.join(host.runtime, "icelock/host-*")), [])

    def test_a_live_hosts_report_outlives_a_reader_without_descriptors(self):
        with Host() as host:
            host.ask("report", serial=1, value="x", level_of_control="y")
            files = glob.glob(os.path.join(host.runtime, "icelock/host-*"))
            self.assertEqual(len(files), 1)
            for most in range(3, 24):
                subprocess.run(["prlimit", f"--nofile={most}", os.path.join(BIN, "icelock"), "status"],
                               env=host.environment, capture_output=True, check=False)
                self.assertEqual(glob.glob(os.path.join(host.runtime, "icelock/host-*")), files, most)

    def cli_browsers(self, host):
        output = subprocess.run([os.path.join(BIN, "icelock"), "status", "--json"], check=True,
                                env=host.environment, capture_output=True).stdout
        return {row["id"]: row for row in json.loads(output)["browsers"]}

    def test_a_value_that_is_no_level_is_a_problem(self):
        with Host() as host:
            host.ask("report", serial=1, value="whatever", level_of_control="x", level=None)
            row = next(row for row in host.ask("status")["state"]["browsers"]
                       if row["id"] == "chromium")
            self.assertIsNone(row["level"])
            self.assertIn("whatever", row["problems"][0])

    def test_probe_runs_beside_other_requests(self):
        with Host() as host:
            for stun in ({}, {"stun": ""}):
                host.write(frame({"v": 1, "id": "p", "op": "probe", **stun}) + frame(STATUS))
                answers = {}
                while len(answers) < 2:
                    answer = host.read(20)
                    answers[answer["id"]] = answer
                self.assertTrue(answers["p"]["ok"], answers["p"])
                self.assertIn("lo", [link["link"] for link in answers["p"]["links"]])

    def test_a_probe_does_not_keep_the_host_alive(self):
        with Host(under=slow("bind", 1)) as host:  # libnice binds more than ten sockets
            host.ask("status")
            host.write(frame({"v": 1, "id": "p", "op": "probe"}))
            time.sleep(0.05)
            code, seconds = host.end()
            self.assertEqual(code, 0)
            self.assertLess(seconds, 3)
            self.assertEqual(glob.glob(os.path.join(host.runtime, "icelock/host-*")), [])


class Process(unittest.TestCase):
    def test_firefox_is_known_by_its_id(self):
        with Host(caller=FIREFOX_CALLER) as host:
            host.ask("report", serial=1, value="proxy_only", level="force_proxy",
                     level_of_control="controlled_by_this_extension")
            row = next(row for row in host.ask("status")["state"]["browsers"]
                       if row["id"] == "firefox")
            self.assertEqual(row["level"], "force_proxy")

    def test_other_callers_are_refused(self):
        for caller in ([], ["chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"],
                       [CHROMIUM_CALLER[0] + "x"], ["/x/icelock.host.json", "other@example"],
                       ["/x/icelock.host.json"], ["https://example.com/"]):
            with Host(caller=caller) as host:
                answer = host.read()
                self.assertEqual((answer["id"], answer["code"]), (None, "unknown_caller"), caller)
                self.assertEqual(host.process.wait(60), 5)

    def test_stdout_belongs_to_the_frames(self):
        with Host() as host:
            host.ask("status")
            links = {name: os.readlink(f"/proc/{host.process.pid}/fd/{name}")
                     for name in ("1", "2")}
            self.assertEqual(links["1"], links["2"])

    def test_no_library_but_those_of_the_start_up_budget(self):
        output = subprocess.run(["ldd", HOST], check=True, capture_output=True, text=True).stdout
        for heavy in ("libnice", "libglib", "libssl", "libcrypto", "httplib"):
            self.assertNotIn(heavy, output)

    def test_it_knows_the_operations_that_the_document_lists_for_it_and_no_other(self):
        with open(os.path.join(SOURCE, "docs/protocol.md"), encoding="utf-8") as file:
            own, services = file.read().split("## Operations")[1].split("## The service's doors")
        names, of_the_service = (
            {name for line in part.splitlines() if line.startswith("| `")
             for name in re.findall(r"`(\w+)`", line.split(" | ")[0])} for part in (own, services.split("\n## ")[0]))
        self.assertGreater(len(names), 7)
        self.assertGreater(len(of_the_service - names), 4)
        with Host() as host:
            for name in sorted(names | of_the_service):
                host.write(frame({"v": 1, "id": name, "op": name}))
            known = {}
            while len(known) < len(names | of_the_service):
                answer = host.read()
                if "id" in answer:
                    known[answer["id"]] = answer.get("code") != "unknown_op"
        self.assertEqual({name for name, is_known in known.items() if is_known}, names)


if __name__ == "__main__":
    unittest.main(verbosity=1)
