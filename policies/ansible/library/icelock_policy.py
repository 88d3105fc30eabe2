#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Puts browser policy files in place so that they can be taken back byte for byte."""

import base64
import json
import os
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.icelock_json import (EXTENSIONS, Trouble, drop_key, is_kept, leaves, look_up, parse, same,
                                               set_key, text_of)

DOCUMENTATION = """
module: icelock_policy
short_description: Browser policy files that can be taken back byte for byte
options:
  files:
    description: The files, as icelock export writes them to files/policy.json
    type: list
    elements: dict
    required: true
  state:
    description: present, or absent to put back what was there before the first run
    type: str
    choices: [present, absent]
    default: present
"""

STATE = "/var/lib/icelock-ansible/state.json"
LEDGER = "/var/lib/icelock/ledger.json"
NEW = (0o644, os.geteuid(), os.getegid())  # mode and owner of a file that was not there
READABLE = 0o444  # a file that the browser's user cannot read does nothing, without any sign


class File:
    """A file as it is or is to be."""
    def __init__(self, data, mode=0o644, uid=0, gid=0, mtime_ns=None):
        self.data, self.mode, self.uid, self.gid, self.mtime_ns = data, mode, uid, gid, mtime_ns

    def kept(self):
        return dict(vars(self), data=base64.b64encode(self.data).decode("ascii"))


def from_kept(kept):
    return kept and File(**dict(kept, data=base64.b64decode(kept["data"])))


def check_way(path):
    """Every folder down to this path is root's alone, so that nobody else decides what is written where."""
    parts = path.strip("/").split("/")
    for count in range(len(parts) + 1):
        step = "/" + "/".join(parts[:count])
        try:
            found = os.lstat(step)
        except FileNotFoundError:
            return
        last = count == len(parts)
        if stat.S_ISLNK(found.st_mode):
            raise Trouble("%s is a symbolic link and was left alone" % step)
        if not (stat.S_ISREG(found.st_mode) if last else stat.S_ISDIR(found.st_mode)):
            raise Trouble("%s is no %s and was left alone" % (step, "regular file" if last else "folder"))
        if found.st_mode & 0o022 or (not last and found.st_uid not in (0, os.geteuid())):
            raise Trouble("others than root may write %s, so it was left alone" % step)


def read(path):
    check_way(path)
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            return File(file.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns)
    except FileNotFoundError:
        return None


def merged(data, ours, path):
    value = parse(data, path)
    start = json.dumps(value)
    for way, new in leaves(ours, True):
        there, found = look_up(value, way)
        if not (found and same(there, new)):
            set_key(value, way, new, path)
    return data if json.dumps(value) == start else text_of(value)


def start_of(target):
    """What a new Firefox file begins with: its mere existence switches the distribution's file off."""
    for other in target.get("instead_of", []):
        try:
            with open(other, "rb") as file:
                data = file.read()
            parse(data, other)
            return data
        except (Trouble, OSError):
            continue  # Firefox has nothing of it either
    return b"{}\n"


def others(path):
    """The other files of its folder, in the order of their names, and what each holds; None: no plain JSON object."""
    folder, name = os.path.split(path)
    for other in sorted(os.listdir(folder), key=os.fsencode) if os.path.isdir(folder) else []:
        file = os.path.join(folder, other)
        if other == name or not os.path.isfile(file):
            continue
        with open(file, "rb") as opened:
            data = opened.read()
        try:
            value = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            value = None
        yield file, data, value if isinstance(value, dict) else None


def content_for(target):
    """The content for this host: a file that installs extensions repeats those of others, which it replaces."""
    content, path = target["content"], target["path"]
    ours = json.loads(content)
    if target.get("merge") or EXTENSIONS not in ours:
        return content
    theirs = {}
    for other, data, value in others(path):
        if value is None and EXTENSIONS.encode("ascii") in data:
            raise Trouble("%s sets %s and is not JSON that can be merged" % (other, EXTENSIONS))
        if value and isinstance(value.get(EXTENSIONS), dict):
            theirs = value[EXTENSIONS]
    if not theirs:
        return content
    return text_of(dict(ours, **{EXTENSIONS: dict(theirs, **ours[EXTENSIONS])})).decode("utf-8")


def wanted(target, now, known):
    content, path = target["content"], target["path"]
    if not target.get("merge"):
        return content.encode("utf-8")
    if known and known["content"] != content:  # keys that the policy no longer has go first
        now = restored(known, now, path)
    return merged(now.data if now else start_of(target), json.loads(content), path)


def restored(entry, now, path):
    """The file as `absent` leaves it; None: no file."""
    before = from_kept(entry["before"])
    if now is None or now.data == base64.b64decode(entry["written"]):
        return before if now else None
    value = parse(now.data, path)
    then = parse(before.data, path) if before else {}
    for way, ours in leaves(json.loads(entry["content"]), entry["merge"]):
        there, found = look_up(value, way)
        if not (found and same(there, ours)):
            continue
        old, had = look_up(then, way)
        if had:
            set_key(value, way, old, path)
        else:
            drop_key(value, way, then)
    if not value and before is None:
        return None
    return now if same(value, parse(now.data, path)) else File(text_of(value), now.mode, now.uid, now.gid)


def has_drifted(entry, now, path):
    if now is None:
        return True
    if not entry["merge"]:
        return now.data != entry["content"].encode("utf-8")
    value, ours = parse(now.data, path), leaves(json.loads(entry["content"]), True)
    return any(not same(look_up(value, way)[0], wish) for way, wish in ours)


def rivals(target):
    """Keys of ours that other files of the folder set too: (those that win, those that lose)."""
    ours = json.loads(target["content"])
    win, lose = [], []
    for other, _, theirs in others(target["path"]):
        later = os.fsencode(os.path.basename(other)) > os.fsencode(os.path.basename(target["path"]))
        if theirs is None and later:
            win.append("%s is not plain JSON and may win by its name" % other)
        for key, value in (theirs or {}).items():
            differs = key in ours and not (same(value, ours[key]) if later else is_kept(key, value, ours[key]))
            if key in target.get("outranked_by", []) or (later and differs):
                win.append("%s sets %s, which wins" % (other, key))
            elif differs:
                lose.append("%s sets %s, which loses" % (other, key))
    return win, lose


def sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def put(path, file):
    """Whole or not at all. Made outside the folder, of which browsers read every file."""
    if file is None:
        if os.path.lexists(path):
            os.unlink(path)
            sync_folder(os.path.dirname(path))
        return
    fd, stage = tempfile.mkstemp(prefix=".icelock-", dir=os.path.dirname(os.path.dirname(path)))
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(file.data)
            os.fchown(fd, file.uid, file.gid)
            os.fchmod(fd, file.mode)
            if file.mtime_ns is not None:
                out.flush()
                os.utime(fd, ns=(file.mtime_ns, file.mtime_ns))
            os.fsync(fd)
        os.replace(stage, path)
    except BaseException:
        os.unlink(stage)
        raise
    sync_folder(os.path.dirname(path))


def make_folders(folder, made, mode=0o755):
    if os.path.isdir(folder):
        return
    make_folders(os.path.dirname(folder), made)
    os.mkdir(folder)
    os.chmod(folder, mode)
    made.append(folder)


def load_state():
    file = read(STATE)
    if file is None:
        return {"v": 1, "folders": [], "files": {}}
    state = parse(file.data, STATE)
    if state.get("v") != 1:
        raise Trouble("%s is of another version of this role" % STATE)
    return state


def save_state(state):
    made = []
    make_folders(os.path.dirname(STATE), made, 0o700)
    state["folders"] += [folder for folder in made if folder not in state["folders"]]
    put(STATE, File(text_of(state), 0o600, *NEW[1:]))


class Run:
    """One run: first everything is worked out, then it is written, or put back."""

    def __init__(self, files):
        self.files, self.state = files, load_state()
        self.changes, self.drift = [], []  # changes: path, file now, file to be

    def want(self, target):
        path, known = target["path"], self.state["files"].get(target["path"])
        now = read(path)
        data = wanted(target, now, known)
        if known and has_drifted(known, now, path):
            self.drift.append(path)
        if now and now.data == data and now.mode & READABLE == READABLE:
            return
        before = now
        if known:  # an edit of others in a shared file is put back one day
            before = restored(known, now, path) if known["merge"] and now else from_kept(known["before"])
        self.state["files"][path] = {"before": before and before.kept(), "content": target["content"],
                                     "merge": bool(target.get("merge")),
                                     "written": base64.b64encode(data).decode("ascii")}
        how = (now.mode | READABLE, now.uid, now.gid) if now else NEW
        self.changes.append((path, now, File(data, *how)))

    def give_back(self, path):
        now = read(path)
        entry = self.state["files"].pop(path)
        if has_drifted(entry, now, path):
            self.drift.append(path)
        to_be = restored(entry, now, path)
        if (now is None) != (to_be is None) or (now and vars(now) != vars(to_be)):
            self.changes.append((path, now, to_be))

    def plan(self, present):
        if present and os.path.lexists(LEDGER):
            raise Trouble("icelock itself writes policies on this host (%s): revert it, or leave this host out" % LEDGER)
        paths = [target["path"] for target in self.files] if present else []
        self.gone = {path: entry for path, entry in self.state["files"].items() if path not in paths}
        for path in sorted(self.gone):
            self.give_back(path)
        if present:
            self.files = [dict(target, content=content_for(target)) for target in self.files]
        for target in self.files if present else []:
            self.want(target)

    def changed(self):
        return bool(self.changes or self.gone)

    def write(self):
        if not self.changed():
            return
        done = []
        try:
            # Before anything changes, and with what is put back below still in it: a killed run loses nothing.
            save_state(dict(self.state, files=dict(self.gone, **self.state["files"])))
            for path, now, to_be in self.changes:
                if to_be is not None:
                    made = []
                    make_folders(os.path.dirname(path), made)
                    self.state["folders"] += made
                done.append((path, now))
                put(path, to_be)
        except OSError:
            for path, now in reversed(done):
                put(path, now)
            raise
        self.tidy()

    def tidy(self):
        """Folders that the role made and nobody needs, and in the end the state itself."""
        if not self.state["files"] and os.path.lexists(STATE):
            os.unlink(STATE)
        for folder in sorted(self.state["folders"], key=len, reverse=True):
            try:
                os.rmdir(folder)
            except OSError:
                continue  # in use, or gone
            self.state["folders"].remove(folder)
        if self.state["files"]:
            save_state(self.state)


def diff_of(change):
    path, now, to_be = change
    before, after = [file.data.decode("utf-8", "replace") if file else "" for file in (now, to_be)]
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def main():
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True},
                       "state": {"type": "str", "choices": ["present", "absent"], "default": "present"}},
        supports_check_mode=True)
    present = module.params["state"] == "present"
    try:
        run = Run(module.params["files"])
        run.plan(present)
        if not module.check_mode:
            run.write()
        found = [rivals(target) for target in run.files if present and not target.get("merge")]
    except (Trouble, OSError) as problem:
        module.fail_json(msg=str(problem), drift=[], outranked=[])
    module.exit_json(changed=run.changed(), drift=run.drift, paths=[path for path, _, _ in run.changes],
                     outranked=[text for win, _ in found for text in win],
                     overridden=[text for _, lose in found for text in lose],
                     diff=[diff_of(change) for change in run.changes])


if __name__ == "__main__":
    main()
