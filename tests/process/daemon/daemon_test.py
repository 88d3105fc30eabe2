# SPDX-License-Identifier: Apache-2.0
"""icelockd through both of its doors, as root, as a member of the group, and as nobody."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest
import unittest.mock

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host"))
import daemon_process as d  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
POLICY = "/etc/chromium/policies/managed/zz-icelock.json"
MANAGED = {"manage_policies": True, "browsers": ["chromium", "firefox"], "hold_seconds": 0}
ARGUMENTS = {"set_mode": {"mode": "auto"},
             "report": {"browser": "firefox", "serial": 1, "value": "default",
                        "level_of_control": "controlled_by_this_extension", "level": None},
             "plan": {"browsers": ["chromium"]}, "apply": {"browsers": ["chromium"]},
             "revert": {}, "allow": {"pattern": "https://meet.example"},
             "deny": {"pattern": "https://meet.example"}}


def documented_operations():
    """Rows of the table in docs/protocol.md: name -> (right, method, path)."""
    with open(os.path.join(SOURCE, "docs/protocol.md"), encoding="utf-8") as file:
        section = file.read().split("## The service's doors")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (read|mode|root) \| (?:`(\w+) (\S+)`|-) \|", section, re.M)
    return {name: (right, method, path) for name, right, method, path in rows}


class Doors(unittest.TestCase):
    def test_the_table_holds_for_everybody_through_both_doors(self):
        operations = documented_operations()
        self.assertGreater(len(operations), 11)
        exceptions = {name: operations.pop(name) for name in ("sites", "allow", "deny")}
        self.walk({}, operations)
        self.walk(MANAGED, exceptions)

    def walk(self, settings, operations):
        ranks = {"read": 0, "mode": 1, "root": 2}
        with d.Daemon(settings):
            for who, rank in ((d.ROOT, 2), (d.MEMBER, 1), (d.NOBODY, 0)):
                for name, (right, method, path) in operations.items():
                    with self.subTest(who=who, operation=name):
                        allowed = rank >= ranks[right]
                        arguments = ARGUMENTS.get(name, {})
                        if name == "deny":  # of one's own, through each door
                            self.allow_once(who)
                        answer = d.as_user(who, lambda: d.Frames().call(name, **arguments))
                        self.assertEqual(answer["ok"], allowed, answer)
                        if not allowed:
                            self.assertEqual(answer["code"], "not_permitted")
                        if not method or name == "subscribe":
                            continue
                        body = json.dumps(arguments).encode() if method == "POST" else b""
                        if name == "deny":
                            self.allow_once(who)
                        status, _, content = d.as_user(who, lambda: d.http(method, path, body))
                        self.assertEqual(status, 200 if allowed else 403, content)
                        if name != "metrics":
                            self.assertEqual(json.loads(content)["ok"], allowed)

    def allow_once(self, who):
        d.as_user(who, lambda: d.Frames().call("allow", **ARGUMENTS["allow"]))

    def test_each_metric_of_the_alert_rules_is_one_that_is_told(self):
        with open(os.path.join(SOURCE, "policies/prometheus-alerts.yml"), encoding="utf-8") as file:
            rules = yaml.safe_load(file)["groups"][0]["rules"]
        with d.Daemon():
            d.as_user(d.NOBODY, lambda: d.Frames().call("apply"))  # counted by its code
            told = d.http("GET", "/metrics")[2].decode()
        told += subprocess.run([os.path.join(d.BIN, "icelock"), "audit", "--prometheus"], capture_output=True,
                               text=True, check=False).stdout
        samples = {line.split(" ")[0].split("{")[0] for line in told.splitlines() if not line.startswith("#")}
        for rule in rules:
            metrics = re.findall(r"\bicelock_\w+", rule["expr"])
            self.assertTrue(metrics, rule["alert"])
            self.assertLessEqual(set(metrics), samples, rule["alert"])
            for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
                self.assertTrue(label == "instance" or f'{label}="' in told, label)

    def wait_for_log(self, daemon, pattern):
        log = []
        d.wait_for(lambda: log.append(daemon.log()) or re.search(pattern, "".join(log)), f"{pattern} in the log")

    def test_refusals_are_logged_with_uid_and_code(self):
        with d.Daemon() as daemon:
            d.as_user(d.NOBODY, lambda: d.Frames().call("apply"))
            d.as_user(d.NOBODY, lambda: d.http("POST", "/v1/revert", b"{}"))
            d.as_user(d.NOBODY, lambda: d.http("GET", "/v1/status", head=["Origin: http://x"]))
            self.wait_for_log(daemon, r"(?s)(refused uid 65534 [^\n]*\[not_permitted\].*){3}")

    def test_nobody_writes_lines_of_their_own_into_the_log(self):
        with d.Daemon() as daemon:
            d.Frames().call("x\n<0>root: all is well")
            self.wait_for_log(daemon, r"x\?<0>root")

    def test_many_audits_keep_nobody_waiting(self):
        with d.Daemon():
            door = d.Frames()
            for _ in range(100):
                door.send({"v": 1, "id": 1, "op": "audit"})
            self.assertTrue(d.Frames().call("plan", browsers=["chromium"])["ok"])
            for _ in range(100):
                self.assertIs(door.receive()["drift"], False)

    def test_an_audit_asks_of_the_managed_browsers_alone(self):
        for browsers in (["chromium"], ["firefox"], ["edge"]):
            with d.Daemon({**MANAGED, "browsers": browsers, "floor": "force_proxy"}):
                d.wait_for(lambda: not d.Frames().call("audit")["drift"], "the policy")
                wanted = {row["id"] for row in d.Frames().call("audit")["browsers"] if row["wanted"]}
                self.assertEqual(wanted, set(browsers))

    def test_an_event_stream_tells_each_state(self):
        with d.Daemon(), socket.socket(socket.AF_UNIX) as door:
            door.settimeout(60)
            door.connect(d.SOCKETS["http"])
            door.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            events = door.makefile("r", encoding="utf-8", newline="\n")

            def event(accept):
                while True:
                    line = events.readline()
                    self.assertTrue(line, "the stream ended")
                    if line.startswith("data: ") and accept(json.loads(line[6:])):
                        return json.loads(line[6:])

            first = event(lambda _: True)
            self.assertEqual((first["id"], first["ok"]), (None, True))
            told = d.Frames().call("subscribe")
            self.assertEqual((first["serial"], first["state"]), (told["serial"], told["state"]))
            for level in ("disabled", "force_proxy"):
                d.Frames().call("set_mode", mode="locked", level=level)
            last = event(lambda answer: answer["state"]["mode_level"] == "force_proxy")
            self.assertEqual(last["state"]["decision"]["chromium"], "force_proxy")

    def test_nonsense_is_answered_with_a_code(self):
        with d.Daemon():
            for payload, code in ((b"", "bad_json"), (b"{", "bad_json"), (b"[]", "bad_request"),
                                  (b'{"v":2,"id":1,"op":"status"}', "version"),
                                  (b'{"v":1,"id":1,"op":"fly"}', "unknown_op"),
                                  (b'{"v":1,"id":1,"op":"set_mode","mode":7}', "bad_request"),
                                  (b'{"v":1,"id":1,"op":"apply","browsers":3}', "bad_request"),
                                  (b'{"v":1,"id":1,"op":"apply","browsers":["lynx"]}',
                                   "not_found")):
                door = d.Frames()
                door.send(payload)
                self.assertEqual(door.receive()["code"], code, payload)

    def test_a_client_that_stops_in_a_frame_is_dropped(self):
        with d.Daemon():
            door = d.Frames()
            door.socket.sendall(b"\x10\0\0\0{")
            started = time.monotonic()
            with self.assertRaises(OSError):
                door.receive()
            self.assertLess(time.monotonic() - started, 8)

    def test_users_see_their_own_browsers_and_the_machines_decision(self):
        with d.Daemon({"floor": "default_route_only"}):
            report = ARGUMENTS["report"]
            keep = d.Frames()
            keep.call("report", **{**report, "browser": "chromium", "level": "force_proxy"})

            def look():
                door = d.Frames()
                door.call("report", **{**report, "level": "default_route_only"})
                return door.call("status")["state"]
            theirs = d.as_user(d.NOBODY, look)
            rows = {row["id"]: row["level"] for row in theirs["browsers"]}
            self.assertEqual((rows["firefox"], rows["chromium"]), ("default_route_only", None))
            self.assertEqual(theirs["decision"]["chromium"], "default_route_only")
            rows = {row["id"]: row["level"] for row in keep.call("status")["state"]["browsers"]}
            self.assertEqual(rows["chromium"], "force_proxy")


class Policies(unittest.TestCase):
    def setUp(self):
        self.laptop = d.Laptop()
        self.addCleanup(self.laptop.close)

    def handling(self):
        try:
            return d.read_json(POLICY).get("WebRtcIPHandling", "none")
        except FileNotFoundError:
            return "no file"

    def firefox_preferences(self):
        with contextlib.suppress(FileNotFoundError, KeyError):
            return d.read_json("/etc/firefox/policies/policies.json")["policies"]["Preferences"]
        return {}

    def wait_for_handling(self, wanted):
        d.wait_for(lambda: self.handling() == wanted, f"{wanted}; it is {self.handling()}")

    def test_follow_the_network(self):
        with d.Daemon(MANAGED):
            self.wait_for_handling("none")
            other = "/etc/chromium/policies/managed/admin.json"
            with open(other, "w", encoding="utf-8") as file:
                file.write('{"HomepageLocation": "https://a.example"}')
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            self.assertEqual(os.stat(POLICY).st_mtime, 1577836800)
            # One file after the other is written, and Firefox's first stands for what was before the lock.
            d.wait_for(lambda: "media.peerconnection.enabled" in self.firefox_preferences(), "Firefox's file")
            self.laptop.drop()
            self.wait_for_handling("none")
            d.wait_for(lambda: not os.path.exists("/etc/firefox/policies/policies.json"),
                       "Firefox's file to be as before")
            self.assertEqual(os.stat(POLICY).st_mtime, 1577836800)
            self.assertEqual(d.read_json(other), {"HomepageLocation": "https://a.example"})
            answer = d.Frames().call("revert")
            self.assertEqual(answer["code"], "busy", "the settings decide")

    def test_default_route_only_is_left_to_the_extension_where_it_reports(self):
        recommended = POLICY.replace("managed", "recommended")
        report = {**ARGUMENTS["report"], "browser": "chromium"}
        with d.Daemon({**MANAGED, "hold_seconds": 60}) as daemon:
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            self.assertFalse(os.path.exists(recommended))
            keep = d.Frames()
            keep.call("report", **report)
            self.wait_for_handling("none")
            self.assertEqual(d.read_json(recommended), {"WebRtcIPHandling": "default_public_interface_only"})
            self.assertEqual(os.stat(recommended).st_mtime, 1577836800)
            d.wait_for(lambda: d.Frames().call("audit")["clean"], "an audit without a finding")
            # It stays so when the browser is closed, and for the next service.
            del keep
            daemon.kill()
            daemon.start()
            d.Frames().call("set_mode", mode="locked")
            self.wait_for_handling("disable_non_proxied_udp")
            d.Frames().call("set_mode", mode="auto")
            self.wait_for_handling("none")
            self.assertIn("WebRtcIPHandling", d.read_json(recommended))
            self.laptop.drop()
            self.wait_for_handling("disable_non_proxied_udp")

    def test_a_recommended_file_that_cannot_be_written_keeps_no_lock_away(self):
        with d.Daemon(MANAGED):
            self.wait_for_handling("none")
            os.makedirs("/etc/chromium/policies/recommended")
            os.symlink("/etc/passwd", "/etc/chromium/policies/recommended/zz-icelock.json")
            d.Frames().call("report", **{**ARGUMENTS["report"], "browser": "chromium"})
            for mode, handling in (("locked", "disable_non_proxied_udp"), ("auto", "none")):
                d.Frames().call("set_mode", mode=mode)
                self.wait_for_handling(handling)

    def test_one_broken_file_does_not_keep_the_lock_from_others(self):
        with d.Daemon() as daemon:
            os.makedirs("/etc/firefox/policies")
            with open("/etc/firefox/policies/policies.json", "w", encoding="utf-8") as file:
                file.write("{ broken")
            self.laptop.connect()
            daemon.settings(MANAGED)
            self.wait_for_handling("default_public_interface_only")
            d.wait_for(lambda: b"\nicelock_policy_failed 1\n" in d.http("GET", "/metrics")[2],
                       "the failure to be told")
            self.assertIn("policy_failed", json.dumps(d.Frames().call("status")))
            os.remove("/etc/firefox/policies/policies.json")
            d.wait_for(lambda: b"\nicelock_policy_failed 0\n" in d.http("GET", "/metrics")[2],
                       "the next attempt")

    def test_stay_when_the_service_ends_and_are_adopted(self):
        with d.Daemon(MANAGED) as daemon:
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            daemon.kill()
            self.assertEqual(self.handling(), "default_public_interface_only")
            daemon.start()
            time.sleep(0.3)
            self.assertEqual(self.handling(), "default_public_interface_only")
            self.assertEqual(daemon.kill(signal.SIGTERM), 0)
            self.assertEqual(self.handling(), "default_public_interface_only")
            daemon.settings({})
            daemon.start()
            self.assertTrue(d.Frames().call("revert")["ok"])
            self.assertEqual(self.handling(), "no file")

    def test_what_somebody_removed_comes_back(self):
        with d.Daemon(MANAGED) as daemon:
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            os.remove(POLICY)
            daemon.process.send_signal(signal.SIGHUP)
            self.wait_for_handling("default_public_interface_only")

    def test_a_drop_while_the_service_is_dead_is_still_held(self):
        with d.Daemon({**MANAGED, "hold_seconds": 4}) as daemon:
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            daemon.kill()
            self.laptop.drop()
            daemon.start()
            self.wait_for_handling("disable_non_proxied_udp")
            time.sleep(1)
            self.assertEqual(self.handling(), "disable_non_proxied_udp")
            self.wait_for_handling("none")

    def test_killed_at_any_moment_every_file_is_whole(self):
        with d.Daemon({**MANAGED, "hold_seconds": 3600}) as daemon:
            self.laptop.connect()
            self.wait_for_handling("default_public_interface_only")
            loosened = []
            for round_number in range(25):
                self.laptop.drop()
                time.sleep((round_number * 7 % 23) / 1000)
                self.laptop.connect()
                time.sleep((round_number * 11 % 29) / 1000)
                daemon.kill()
                if self.handling() in ("none", "no file", "default"):
                    loosened.append(round_number)
                daemon.start()
            self.assertEqual(loosened, [])
            decision = d.Frames().call("status")["state"]["decision"]["chromium"]
            self.wait_for_handling({"default_route_only": "default_public_interface_only",
                                    "force_proxy": "disable_non_proxied_udp"}[decision])


@contextlib.contextmanager
def door_of_another(backlog):
    """A socket where the service's would be, of a program that does as the test wants."""
    os.makedirs("/run/icelock", exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.remove(d.SOCKETS["host"])
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(d.SOCKETS["host"])
        door.listen(backlog)
        yield door
    with contextlib.suppress(FileNotFoundError):
        os.remove(d.SOCKETS["host"])


class Hosts(unittest.TestCase):
    def test_obey_the_service_and_outlive_it(self):
        import host_process  # pylint: disable=import-outside-toplevel
        with d.Daemon() as daemon, host_process.Host() as host:
            d.wait_for(lambda: host.ask("subscribe")["state"]["service"]["present"], "the service")
            self.assertEqual(host.ask("status")["state"]["decision"]["chromium"], "unrestricted")
            d.Frames().call("set_mode", mode="locked")
            state = wait_for_push(host, lambda s: s["decision"]["chromium"] == "force_proxy")
            daemon.kill()
            state = wait_for_push(host, lambda s: not s["service"]["present"])
            self.assertEqual(state["decision"]["chromium"], "force_proxy", "its last word holds")
            self.assertIn("service_gone", json.dumps(state["reasons"]))
            daemon.start()
            state = wait_for_push(host, lambda s: s["service"]["present"])
            self.assertEqual(state["decision"]["chromium"], "force_proxy")
            answer = host.ask("set_mode", mode="auto")
            self.assertEqual(answer["state"]["decision"]["chromium"], "unrestricted")
            self.assertEqual(d.Frames().call("status")["state"]["mode"], "auto")

    def test_lock_while_a_service_is_there_and_says_nothing(self):
        import host_process  # pylint: disable=import-outside-toplevel
        with door_of_another(8) as mute, host_process.Host() as host:
            state = host.ask("subscribe")["state"]
            self.assertEqual(state["decision"]["firefox"], "force_proxy")
            self.assertIn("service_silent", json.dumps(state["reasons"]))
            mute.close()
            os.remove(d.SOCKETS["host"])
            with d.Daemon():
                state = wait_for_push(host, lambda s: s["service"]["present"])
                self.assertEqual(state["decision"]["firefox"], "unrestricted")

    def test_a_lock_that_comes_with_the_first_answer_counts(self):
        import host_process  # pylint: disable=import-outside-toplevel

        def message(level, **envelope):
            decision = {"chromium": level, "firefox": level}
            return host_process.frame({"v": 1, **envelope, "state": {"decision": decision, "reasons": []}})

        with door_of_another(8) as door:
            @contextlib.contextmanager
            def service():
                connection, _ = door.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(message("unrestricted", id=1, ok=True) + message("force_proxy", event="state"))
                    yield

            with host_process.Host() as host, service():
                self.assertEqual(host.ask("status")["state"]["decision"]["chromium"], "force_proxy")
            with subprocess.Popen([os.path.join(d.BIN, "icelock"), "status", "--json"],
                                  stdout=subprocess.PIPE) as status, service():
                self.assertEqual(json.load(status.stdout)["decision"]["chromium"], "force_proxy")

    def test_a_service_that_takes_no_more_is_not_taken_for_none(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(door_of_another(0))
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect(d.SOCKETS["host"])
            icelock = os.path.join(d.BIN, "icelock")
            stack.enter_context(unittest.mock.patch.dict(os.environ, {"XDG_CONFIG_HOME": "/run/config"}))
            for words in (["apply", "--yes", "--browser", "chromium"], ["revert"], ["sites"], ["audit"], ["history"],
                          ["allow", "meet.example"], ["deny", "meet.example"], ["mode", "open"], ["mode", "auto"]):
                run = subprocess.run([icelock, *words], capture_output=True, text=True, check=False)
                self.assertIn("[busy]", run.stderr, words)
                self.assertNotEqual(run.returncode, 0, words)
            run = subprocess.run([icelock, "mode", "locked"], capture_output=True, text=True, check=True)
            self.assertIn("the machine's mode stays", run.stderr)
            os.remove("/run/config/icelock/icelock.json")
            self.assertFalse(os.path.exists(POLICY))
            run = subprocess.run([icelock, "status"], capture_output=True, text=True, check=True)
            self.assertIn("force_proxy", run.stdout)

    def test_the_command_line_uses_the_service(self):
        icelock = os.path.join(d.BIN, "icelock")
        with d.Daemon() as daemon:
            run = subprocess.run([icelock, "status"], capture_output=True, text=True, check=True)
            self.assertIn("icelockd guards this machine", run.stdout)
            run = subprocess.run([icelock, "apply", "--yes", "--browser", "chromium"], capture_output=True,
                                 text=True, check=True)
            self.assertIn("Applied.", run.stdout)
            self.assertEqual(d.read_json(POLICY)["WebRtcIPHandling"], "disable_non_proxied_udp")
            self.assertIn(b'op="apply"} 1', d.http("GET", "/metrics")[2])
            subprocess.run([icelock, "revert", "--reason", "done"], capture_output=True, check=True,
                           env=os.environ | {"SUDO_UID": "4001"})
            self.assertFalse(os.path.exists(POLICY))
            run = subprocess.run([icelock, "history", "--json"], capture_output=True, check=True)
            entries = json.loads(run.stdout)["entries"]
            self.assertEqual([(each["verb"], each["uid"], each["sudo_uid"], each["reason"])
                              for each in entries],
                             [("apply", 0, None, ""), ("revert", 0, 4001, "done")])
            self.assertEqual(json.loads(d.http("GET", "/v1/history")[2])["entries"], entries)
            daemon.kill()
            run = subprocess.run([icelock, "status"], capture_output=True, text=True, check=True)
            self.assertIn("icelockd is not running", run.stdout)


def wait_for_push(host, accept):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            message = host.read(1)
        except TimeoutError:
            continue
        if message.get("event") == "state" and accept(message["state"]):
            return message["state"]
    raise AssertionError("no such state was pushed")


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
