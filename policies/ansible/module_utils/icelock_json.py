# SPDX-License-Identifier: Apache-2.0
"""JSON of policy files: read strictly, compared as JSON, changed key by key."""

import json

EXTENSIONS = "ExtensionSettings"  # of one file in Chromium's folder, as a whole


class Trouble(Exception):
    """What a person must look at; nothing was changed."""


def once(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key is there twice")
    return dict(pairs)


def no_constant(word):
    raise ValueError("%s is no JSON" % word)


def parse(data, path):
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as problem:
        raise Trouble("%s is not JSON that can be merged, and was left alone: %s" % (path, problem))
    if not isinstance(value, dict):
        raise Trouble("%s holds no JSON object, and was left alone" % path)
    return value


def same(one, other):
    """As JSON: 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def text_of(value):
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def branches(way, value, depth):
    if depth == 0 or not isinstance(value, dict):
        return [(way, value)]
    return [leaf for key, inner in value.items() for leaf in branches(way + (key,), inner, depth - 1)]


def leaves(ours, merge):
    """The keys that are ours, as paths: in Firefox's file the members of each policy, and extensions by their id."""
    if not (merge and "policies" in ours):
        return branches((), ours, 1)
    return [leaf for name, policy in ours["policies"].items()
            for leaf in branches(("policies", name), policy, 2 if name == "3rdparty" else 1)]


def look_up(value, way):
    for key in way:
        if not isinstance(value, dict) or key not in value:
            return None, False
        value = value[key]
    return value, True


def set_key(value, way, new, path):
    for key in way[:-1]:
        value = value.setdefault(key, {})
        if not isinstance(value, dict):
            raise Trouble("%s: %s is no object, so the file was left alone" % (path, key))
    value[way[-1]] = new


def drop_key(value, way, before):
    """Takes the key out, and objects that were made for it."""
    look_up(value, way[:-1])[0].pop(way[-1])
    for count in range(len(way) - 1, 0, -1):
        if look_up(value, way[:count])[0] or look_up(before, way[:count])[1]:
            return
        look_up(value, way[:count - 1])[0].pop(way[count - 1])


def is_kept(key, theirs, ours):
    """Whether our value says all that theirs does."""
    if key == EXTENSIONS and isinstance(theirs, dict):
        return all(same(value, ours.get(one)) for one, value in theirs.items())
    return same(theirs, ours)
