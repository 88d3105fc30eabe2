# SPDX-License-Identifier: Apache-2.0
"""Exceptions for sites: who may, what becomes of them in the policy file, and that none outlives its time."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host"))
import daemon_process as d  # noqa: E402

POLICY = "/etc/chromium/policies/managed/zz-icelock.json"
BOOK = "/var/lib/icelock/sites.json"
MANAGED = {"manage_policies": True, "browsers": ["chromium", "firefox"]}
MEET = "https://meet.example"
OTHER = (4002, d.GROUP)


def rules():
    """{pattern: handling} of the policy file."""
    try:
        rows = d.read_json(POLICY).get("WebRtcIPHandlingUrl", [])
    except FileNotFoundError:
        return {}
    return {row["url"]: row["handling"] for row in rows}


def wait_for_rules(*patterns):
    d.wait_for(lambda: set(rules()) == set(patterns), f"exceptions for {patterns}")


def allow(who=d.ROOT, pattern=MEET, **more):
    return d.as_user(who, lambda: d.Frames().call("allow", pattern=pattern, **more))


def deny(who=d.ROOT, pattern=MEET):
    return d.as_user(who, lambda: d.Frames().call("deny", pattern=pattern))


def listed(who=d.ROOT):
    answer = d.as_user(who, lambda: d.Frames().call("sites"))
    return {site["pattern"]: site["by"] for site in answer["sites"]}


def edit_book(change):
    book = d.read_json(BOOK)
    change(book)
    with open(BOOK, "w", encoding="utf-8") as file:
        json.dump(book, file)


class Sites(unittest.TestCase):
    def setUp(self):
        # A lock that does not depend on the network: the machine's own mode.
        self.daemon = d.Daemon(MANAGED)
        self.addCleanup(self.daemon.__exit__)
        d.Frames().call("set_mode", mode="locked")

    def restart(self, number=signal.SIGKILL):
        self.daemon.kill(number)
        self.daemon.start()

    def test_allow_and_deny_reach_the_policy_file_and_nothing_else_changes(self):
        door = d.Frames()
        door.call("subscribe")
        answer = allow(d.MEMBER)
        self.assertTrue(answer["ok"], answer)
        wait_for_rules(MEET)
        self.assertEqual(rules()[MEET], "default_public_interface_only")
        self.assertEqual(d.read_json(POLICY)["WebRtcIPHandling"], "disable_non_proxied_udp")
        state = door.push(lambda s: s["sites"]["granted"])
        self.assertEqual(state["sites"]["possible"], True)
        row = {row["id"]: row for row in d.Frames().call("status")["state"]["browsers"]}["chromium"]
        self.assertEqual((row["level"], row["problems"]), ("force_proxy", []), "wanted, so no fault")
        self.assertTrue(deny(d.MEMBER)["ok"])
        wait_for_rules()
        door.push(lambda s: not s["sites"]["granted"])
        log = self.daemon.log()
        self.assertRegex(log, rf"exception for {MEET} at default_route_only, allowed by uid 4001")
        self.assertRegex(log, rf"exception for {MEET} denied by uid 4001")

    def test_through_http_too(self):
        body = json.dumps({"pattern": "Meet.Example/", "level": "unrestricted", "seconds": 60})
        status, _, content = d.as_user(
            d.MEMBER, lambda: d.http("POST", "/v1/allow", body.encode()))
        self.assertEqual(status, 200, content)
        site, = json.loads(content)["state"]["sites"]["list"]
        self.assertEqual((site["pattern"], site["level"], site["by"]), (MEET, "unrestricted", "you"))
        self.assertLessEqual(site["seconds_left"], 60)
        answer = json.loads(d.as_user(d.MEMBER, lambda: d.http("GET", "/v1/sites"))[2])
        again, = answer["sites"]
        self.assertLessEqual(again.pop("seconds_left"), site.pop("seconds_left"))
        self.assertEqual(again, site)
        wait_for_rules(MEET)
        self.assertIn(b'icelock_site_exceptions{by="users"} 1', d.http("GET", "/metrics")[2])
        # Firefox's file may come a moment later.
        d.wait_for(lambda: not json.loads(d.http("GET", "/v1/audit")[2])["drift"], "every file")
        audit = json.loads(d.http("GET", "/v1/audit")[2])
        row = {row["id"]: row for row in audit["browsers"]}["chromium"]
        self.assertEqual(row["exceptions"], [{"pattern": MEET, "level": "unrestricted"}])
        self.assertEqual((audit["drift"], row["problems"]), (False, []))
        body = json.dumps({"pattern": MEET}).encode()
        self.assertEqual(d.as_user(d.NOBODY, lambda: d.http("POST", "/v1/deny", body))[0], 403)
        self.assertEqual(d.as_user(d.MEMBER, lambda: d.http("POST", "/v1/deny", body))[0], 200)
        self.assertEqual(d.as_user(d.MEMBER, lambda: d.http("POST", "/v1/deny", body))[0], 404)

    def test_each_user_sees_their_own_and_the_admins_and_root_sees_all(self):
        self.daemon.settings({**MANAGED, "sites": [{"pattern": "admin.example"}]})
        d.wait_for(lambda: "https://admin.example" in listed(), "the new settings")
        allow(d.MEMBER, "https://one.example")
        allow(OTHER, "https://two.example")
        allow(OTHER, MEET)
        allow(d.MEMBER, MEET, level="unrestricted")
        self.assertEqual(listed(d.MEMBER), {"https://admin.example": "admin", MEET: "you",
                                            "https://one.example": "you"})
        self.assertEqual(listed(OTHER), {"https://admin.example": "admin", MEET: "you",
                                         "https://two.example": "you"})
        self.assertEqual(listed(d.NOBODY), {"https://admin.example": "admin"})
        self.assertEqual(set(listed()), {"https://admin.example", "https://one.example",
                                         "https://two.example", MEET})
        wait_for_rules("https://admin.example", "https://one.example", "https://two.example", MEET)
        d.wait_for(lambda: rules().get(MEET) == "default", "the loosest that anybody was allowed")
        self.assertEqual(deny(d.MEMBER, "https://two.example")["code"], "not_permitted")
        self.assertEqual(deny(d.MEMBER, "https://admin.example")["code"], "not_permitted")
        self.assertEqual(deny(d.ROOT, "https://admin.example")["code"], "not_permitted")
        self.assertEqual(deny(d.MEMBER, "https://none.example")["code"], "not_found")
        self.assertTrue(deny(d.MEMBER)["ok"])
        d.wait_for(lambda: rules().get(MEET) == "default_public_interface_only", "the other's")
        self.assertTrue(deny(d.ROOT)["ok"], "root denies everybody's")
        wait_for_rules("https://admin.example", "https://one.example", "https://two.example")

    def test_what_cannot_be_allowed_is_refused_with_a_code(self):
        for arguments, code, thing in (
                ({}, "bad_request", "pattern"), ({"pattern": 7}, "bad_request", "pattern"),
                ({"pattern": "*"}, "bad_request", "pattern"),
                ({"pattern": "*.example.com"}, "bad_request", "pattern"),
                ({"pattern": MEET + "/x"}, "bad_request", "pattern"),
                ({"pattern": MEET, "level": "loose"}, "bad_request", "level"),
                ({"pattern": MEET, "level": "force_proxy"}, "bad_request", "level"),
                ({"pattern": MEET, "seconds": 0}, "bad_request", "seconds"),
                ({"pattern": MEET, "seconds": -1}, "bad_request", "seconds"),
                ({"pattern": MEET, "seconds": 1.5}, "bad_request", "seconds"),
                ({"pattern": MEET, "seconds": "1"}, "bad_request", "seconds"),
                ({"pattern": MEET, "seconds": 31536001}, "bad_request", "seconds")):
            answer = d.Frames().call("allow", **arguments)
            self.assertEqual((answer.get("code"), answer.get("object")), (code, thing), arguments)
        self.assertEqual(allow(d.NOBODY)["code"], "not_permitted")
        self.assertEqual(listed(), {})
        self.daemon.settings({})
        d.wait_for(lambda: allow()["code"] == "unavailable", "the new settings")
        self.assertIs(d.Frames().call("sites")["possible"], False)
        self.daemon.settings({**MANAGED, "browsers": ["firefox"]})
        time.sleep(0.3)
        self.assertEqual(allow()["code"], "unavailable", "Firefox has no such thing")

    def test_no_exception_goes_below_the_floor_also_when_it_rises_later(self):
        allow(d.MEMBER, level="unrestricted")
        allow(d.MEMBER, "https://call.example")
        wait_for_rules(MEET, "https://call.example")
        self.daemon.settings({**MANAGED, "floor": "default_route_only",
                              "sites": [{"pattern": "a.example", "level": "unrestricted"}]})
        wait_for_rules("https://call.example")
        self.assertEqual(allow(level="unrestricted")["code"], "below_floor")
        self.daemon.settings({**MANAGED, "mode": "locked", "level": "force_proxy"})
        wait_for_rules()
        self.assertEqual(allow(d.MEMBER)["code"], "below_floor", "the admin's own lock")
        self.daemon.settings(MANAGED)
        wait_for_rules(MEET, "https://call.example")

    def test_there_is_a_limit_for_each_user_and_for_all(self):
        self.assertTrue(allow()["ok"])
        self.daemon.kill()
        entries = [{"uid": uid, "pattern": f"https://s{i}.example", "level": "default_route_only"}
                   for uid in (4001, 5001, 5002, 5003, 5004) for i in range(100)]
        edit_book(lambda book: book.update(sites=entries[1:]))
        self.daemon.start()
        self.assertTrue(allow(d.MEMBER, "https://s0.example")["ok"], "the hundredth and the last")
        self.assertTrue(allow(d.MEMBER, "https://s0.example", seconds=3600)["ok"], "one it has")
        self.assertEqual(allow()["code"], "too_large", "500 in all")
        deny(pattern="https://s7.example")
        self.assertTrue(allow()["ok"])
        deny(d.MEMBER, "https://s8.example")
        self.assertTrue(allow(d.MEMBER, "https://t1.example")["ok"])
        self.assertTrue(allow(d.MEMBER, "https://t2.example")["ok"])
        self.assertEqual(allow(d.MEMBER, "https://t3.example")["code"], "too_large", "100 of one")
        d.wait_for(lambda: len(rules()) == 102, "the union")
        self.assertLess(len(json.dumps(d.Frames().call("status"))), 1 << 20)

    def test_an_exception_ends_at_its_time(self):
        door = d.Frames()
        door.call("subscribe")
        allow(seconds=5)
        wait_for_rules(MEET)
        door.push(lambda s: s["sites"]["list"])
        door.push(lambda s: not s["sites"]["list"])
        wait_for_rules()
        self.assertIn(f"the exception for {MEET} ended", self.daemon.log())
        self.assertEqual(d.read_json(BOOK)["sites"], [])

    def test_it_survives_a_kill_after_every_step(self):
        self.restart()
        allow(d.MEMBER, seconds=3600)
        self.restart()
        wait_for_rules(MEET)
        allow(OTHER, "https://call.example")
        self.restart(signal.SIGTERM)
        self.assertEqual(listed(), {MEET: "other", "https://call.example": "other"})
        self.assertEqual(set(rules()), {MEET, "https://call.example"})
        deny(d.MEMBER)
        self.restart()
        wait_for_rules("https://call.example")
        self.assertEqual(listed(), {"https://call.example": "other"})

    def test_what_was_promised_is_in_the_files_when_the_service_ends(self):
        for _ in range(10):
            self.assertTrue(allow()["ok"])
            self.assertEqual(self.daemon.kill(signal.SIGTERM), 0)
            self.assertIn(MEET, rules())
            self.daemon.start()
            self.assertTrue(deny()["ok"])
            self.assertEqual(self.daemon.kill(signal.SIGTERM), 0)
            self.assertNotIn(MEET, rules())
            self.daemon.start()

    def test_killed_at_any_moment_the_book_is_whole(self):
        for number in range(12):
            door = d.Frames()
            for i in range(8):
                door.send({"v": 1, "id": i, "op": "allow", "pattern": f"https://s{i}.example"})
                door.send({"v": 1, "id": i, "op": "deny", "pattern": f"https://s{i - 1}.example"})
            time.sleep((number * 7 % 23) / 1000)
            self.restart()
            self.assertNotIn("SITES", self.daemon.log())
            self.assertLessEqual(len(listed()), 8)

    def test_one_that_ends_while_the_service_is_dead_is_gone(self):
        allow(seconds=5)
        allow(pattern="https://call.example", seconds=3600)
        wait_for_rules(MEET, "https://call.example")
        self.daemon.kill()
        time.sleep(5.2)
        self.daemon.start()
        wait_for_rules("https://call.example")
        left = d.Frames().call("sites")["sites"][0]["seconds_left"]
        self.assertLessEqual(left, 3600)
        self.assertGreater(left, 3500)

    def test_a_clock_set_back_lengthens_nothing(self):
        allow(seconds=600)
        allow(pattern="https://call.example", seconds=3600)
        wait_for_rules(MEET, "https://call.example")
        self.daemon.kill()
        # As if the clock had been 1000 s later when the file was written.
        edit_book(lambda book: (book.update(booted_ms=book["booted_ms"] + 1_000_000), [
            site.update(ends_ms=site["ends_ms"] + 1_000_000) for site in book["sites"]]))
        self.daemon.start()
        sites = {site["pattern"]: site["seconds_left"] for site in d.Frames().call("sites")["sites"]}
        self.assertEqual(set(sites), {MEET, "https://call.example"})
        self.assertLessEqual(sites[MEET], 600, "none the longer for it")
        self.daemon.kill()
        # A machine that starts with a clock from before the exceptions were granted.
        edit_book(lambda book: [site.update(ends_ms=site["ends_ms"] + 5_000_000) for site in book["sites"]])
        self.daemon.start()
        wait_for_rules()
        self.assertEqual(listed(), {})
        self.assertEqual(d.read_json(BOOK)["sites"], [], "and they do not come back")

    def test_a_broken_book_is_no_exceptions_and_a_loud_problem(self):
        site = {"uid": 4001, "pattern": MEET, "level": "default_route_only"}
        for content in ("", "{", "[]", "\xff", '{"v": 2, "booted_ms": 1, "sites": []}',
                        '{"v": 1, "sites": []}', '{"v": 1, "booted_ms": -1, "sites": []}',
                        json.dumps({"v": 1, "booted_ms": 1, "sites": [site] * 501}),
                        *(json.dumps({"v": 1, "booted_ms": 1, "sites": [{**site, **wrong}]})
                          for wrong in ({"uid": -1}, {"uid": "x"}, {"uid": 4294967295},
                                        {"pattern": "*"}, {"pattern": "meet.example"},
                                        {"level": "disabled"}, {"level": 1}, {"seconds": 60},
                                        {"ends_ms": 60}, {"seconds": -1, "ends_ms": 1}))):
            with self.subTest(content[:60]):
                self.daemon.kill()
                with open(BOOK, "w", encoding="latin-1") as file:
                    file.write(content)
                self.daemon.start()
                answer = d.Frames().call("status")["state"]
                self.assertIn("sites_broken", json.dumps(answer["reasons"]))
                self.assertEqual(answer["sites"]["granted"], [])
                self.assertIn("SITES", self.daemon.log())
                self.assertIn(b"\nicelock_sites_broken 1\n", d.http("GET", "/metrics")[2])
        self.assertTrue(allow()["ok"])
        self.assertNotIn("sites_broken", json.dumps(d.Frames().call("status")["state"]))
        self.assertTrue(os.path.exists(BOOK + ".broken"), "nothing is lost")

    def test_a_disk_that_takes_nothing_keeps_no_exception(self):
        allow(d.MEMBER)
        allow(seconds=10, pattern="https://call.example")
        wait_for_rules(MEET, "https://call.example")
        os.remove(BOOK)
        os.mkdir(BOOK)  # in the way of the file that is to be put there
        self.assertFalse(allow(pattern="https://new.example")["ok"])
        self.assertFalse(deny(d.MEMBER)["ok"], "it is not on disk, and that is said")
        wait_for_rules("https://call.example")
        self.assertIn("sites_broken", json.dumps(d.Frames().call("status")["state"]))
        wait_for_rules()
        os.rmdir(BOOK)
        self.assertTrue(allow()["ok"])
        self.assertNotIn("sites_broken", json.dumps(d.Frames().call("status")["state"]))

    def test_nothing_is_kept_in_the_files_when_they_are_managed_no_longer(self):
        allow()
        wait_for_rules(MEET)
        self.daemon.settings({})
        wait_for_rules()
        self.assertEqual(d.read_json(POLICY)["WebRtcIPHandling"], "disable_non_proxied_udp")
        self.daemon.settings(MANAGED)
        wait_for_rules(MEET)
        self.daemon.settings({**MANAGED, "browsers": ["firefox"]})
        d.wait_for(lambda: not d.Frames().call("sites")["possible"], "the new settings")
        self.assertTrue(deny()["ok"], "it ends also where the browser is managed no longer")
        wait_for_rules()
        self.daemon.settings(MANAGED)
        d.wait_for(lambda: allow()["ok"], "the new settings")
        wait_for_rules(MEET)
        self.daemon.kill()
        self.daemon.settings({})
        self.daemon.start()
        wait_for_rules()
        self.assertEqual(d.read_json(POLICY)["WebRtcIPHandling"], "disable_non_proxied_udp")

    def test_another_admins_list_of_sites_is_left_and_named(self):
        d.wait_for(lambda: os.path.exists(POLICY), "the folder")
        with open("/etc/chromium/policies/managed/50-admin.json", "w", encoding="utf-8") as file:
            json.dump({"WebRtcIPHandlingUrl": [{"url": "https://bank.example",
                                                "handling": "disable_non_proxied_udp"}]}, file)
        allow(level="unrestricted")
        d.wait_for(lambda: d.Frames().call("audit")["drift"], "the audit to say so")
        self.assertEqual(rules(), {})
        self.assertIn(f"the exception for {MEET} is not in force", json.dumps(
            d.Frames().call("audit")))


class Programs(unittest.TestCase):
    """icelock and icelock-host at the service's door."""

    def run_icelock(self, *arguments):
        return subprocess.run([os.path.join(d.BIN, "icelock"), *arguments], capture_output=True,
                              text=True, check=False)

    def test_the_command_line_allows_tells_and_denies(self):
        with d.Daemon(MANAGED) as daemon:
            d.Frames().call("set_mode", mode="locked")
            run = self.run_icelock("allow", "meet.example", "--for", "1h")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn(f"Allowed: {MEET} may go as far as default_route_only for 1 h.", run.stdout)
            self.assertRegex(run.stdout, "In force in Chromium")
            self.assertIn("Firefox has no exceptions for sites", run.stdout)
            run = self.run_icelock("sites")
            self.assertIn(f"{MEET} may go as far as default_route_only, 1 h left, allowed by you",
                          run.stdout)
            self.assertIn(MEET, self.run_icelock("status").stdout)
            status = json.loads(self.run_icelock("status", "--json").stdout)
            row = {row["id"]: row for row in status["browsers"]}["chromium"]
            self.assertEqual((row["level"], row["problems"]), ("force_proxy", []))
            self.assertEqual(json.loads(self.run_icelock("sites", "--json").stdout)["sites"][0]["by"],
                             "you")
            run = self.run_icelock("deny", MEET)
            self.assertIn("tabs that were open keep the exception", run.stdout)
            run = self.run_icelock("deny", MEET)
            self.assertEqual(run.returncode, 1)
            self.assertIn("[not_found]", run.stderr)
            self.assertEqual(self.run_icelock("allow", "*").returncode, 64)
            for time_text in ("1x", "0s", "1", "366d", "-1h"):
                run = self.run_icelock("allow", MEET, "--for", time_text)
                self.assertEqual(run.returncode, 64, time_text)
            run = d.as_user(d.NOBODY, lambda: self.run_icelock("allow", MEET))
            self.assertEqual(run.returncode, 5)
            daemon.settings({})
            d.wait_for(lambda: "[unavailable]" in self.run_icelock("allow", MEET).stderr, "the settings")
            self.assertIn("manage_policies", self.run_icelock("sites").stdout)
            daemon.kill()
            run = self.run_icelock("sites")
            self.assertIn("manage_policies", run.stderr)
            self.assertIn("[unavailable]", run.stderr)

    def test_the_host_passes_on(self):
        import host_process  # pylint: disable=import-outside-toplevel
        with d.Daemon(MANAGED) as daemon, host_process.Host() as host:
            d.wait_for(lambda: host.ask("status")["state"]["service"]["present"], "the service")
            d.Frames().call("set_mode", mode="locked")
            answer = host.ask("allow", pattern="meet.example", seconds=60)
            self.assertTrue(answer["ok"], answer)
            site, = answer["state"]["sites"]["list"]
            self.assertEqual((site["pattern"], site["by"]), (MEET, "you"))
            self.assertIs(answer["state"]["sites"]["possible"], True)
            self.assertEqual(host.ask("sites")["sites"][0]["pattern"], MEET)
            self.assertEqual(host.ask("allow", pattern="*")["object"], "pattern")
            wait_for_rules(MEET)
            row = {row["id"]: row for row in host.ask("status")["state"]["browsers"]}["chromium"]
            self.assertEqual(row["problems"], [])
            self.assertEqual(host.ask("deny", pattern=MEET)["state"]["sites"]["list"], [])
            self.assertEqual(host.ask("deny", pattern=MEET)["code"], "not_found")
            daemon.kill()
            d.wait_for(lambda: host.ask("sites").get("code") == "unavailable", "the loss")
            self.assertEqual(host.ask("status")["state"]["sites"],
                             {"possible": False, "list": [], "granted": []})


if __name__ == "__main__":
    d.enter()
    unittest.main(verbosity=2)
