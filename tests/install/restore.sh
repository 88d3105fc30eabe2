#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# installer/debian/restore.pl, which postrm carries, leaves what `icelock revert` leaves; and touches nothing when the
# ledger or a path is not as it should be. usage: restore.sh ICELOCK
set -eu
export LC_ALL=C
icelock=$1
restore="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/installer/debian/restore.pl"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ledger=var/lib/icelock/ledger.json
firefox=etc/firefox/policies/policies.json
managed=etc/chromium/policies/managed

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# Kind, mode, owner, time to the nanosecond, and content of all below $1.
snapshot() {
  (cd "$1" && find . -type f -printf '%p %m %U:%G %T@ ' -exec sha256sum '{}' \; -o -printf '%p %y %m %l\n' | sort)
}
same() { [ "$1" = "$2" ] || fail "$3
$(diff <(echo "$1") <(echo "$2"))"; }

# A machine with policies of its own, in ways that are hard to keep: no end of line, CRLF, bytes that are no text,
# a mode, and a time just before a full second.
machine() {
  rm -rf "$work/root"
  mkdir -p "$work/root/"{$managed,etc/firefox/policies,var/lib}
  printf '{\r\n\t"policies": {\r\n\t\t"Homepage": "\\u00e9\xc3\xa9\xe2\x82\xac \\"\\\\/"\r\n\t}\r\n}' >"$work/root/$firefox"
  printf '{ "Other" : "\x7f" }' >"$work/root/$managed/zz-icelock.json"
  chmod 0640 "$work/root/$firefox"
  touch -d '2021-02-03 04:05:06.999999999' "$work/root/$firefox"
  touch -d '1969-12-31 23:59:58.25' "$work/root/$managed/zz-icelock.json"
}
apply() {
  machine
  "$icelock" apply --yes --root "$work/root" --browser chromium --browser firefox --browser brave --browser edge >/dev/null ||
    [ $? -eq 4 ] || fail "icelock apply"
  [ -f "$work/root/$ledger" ] || fail "no ledger"
}
restore() { perl "$restore" "$work/root" 2>"$work/said"; }
refused() { # WORD LABEL: it changes nothing, and says why
  local before
  before=$(snapshot "$work/root")
  if restore; then fail "$2: not refused"; fi
  grep -q "$1" "$work/said" || fail "$2: says '$(cat "$work/said")'"
  same "$before" "$(snapshot "$work/root")" "$2: changed something"
  echo "$2: $(head -n 1 "$work/said" | sed 's/.*left as it is: //')"
}

machine
before=$(snapshot "$work/root")
apply
restore || fail "$(cat "$work/said")"
rm -r "$work/root/var/lib/icelock"  # postrm's work
same "$before" "$(snapshot "$work/root")" "not as before"
apply
"$icelock" revert --root "$work/root" >/dev/null
rm -r "$work/root/var/lib/icelock"  # the history
same "$before" "$(snapshot "$work/root")" "icelock revert itself is not as before"
echo "restored to the byte, as icelock revert does"

apply
rm "$work/root/$managed/zz-icelock.json"
restore || fail "a file that is gone: $(cat "$work/said")"
[ ! -e "$work/root/$managed/zz-icelock.json" ] || fail "what somebody took away came back"
echo "what somebody took away stays away"

# One edited file does not keep the others from being restored, and revert can finish the work.
apply
sed -i 's/Homepage/Startpage/' "$work/root/$firefox"
edited=$(sha256sum <"$work/root/$firefox")
if restore; then fail "an edited file was accepted"; fi
[ "$edited" = "$(sha256sum <"$work/root/$firefox")" ] || fail "the edited file was touched"
[ "$(cat "$work/root/$managed/zz-icelock.json")" = "$(printf '{ "Other" : "\x7f" }')" ] || fail "the other file was not restored"
"$icelock" revert --root "$work/root" >/dev/null || fail "icelock revert cannot go on"
[ ! -e "$work/root/$ledger" ] || fail "icelock revert left the ledger"
grep -q Startpage "$work/root/$firefox" || fail "the edit is lost"
if grep -q peerconnection "$work/root/$firefox"; then fail "icelock's keys stayed"; fi
echo "an edited file is left to icelock revert"

apply
mv "$work/root/$managed" "$work/root/etc/elsewhere"
ln -s ../../elsewhere "$work/root/$managed"
rm -r "$work/root/"{$firefox,etc/brave,etc/opt}
refused "no folder" "a link on the way"

apply
rm -r "$work/root/"{$firefox,etc/brave,etc/opt}
mv "$work/root/$managed/zz-icelock.json" "$work/root/etc/file"
ln -s ../../../file "$work/root/$managed/zz-icelock.json"
refused "no regular file" "a link in place of the file"

apply
rm -r "$work/root/"{$firefox,etc/brave,etc/opt}
chmod 0777 "$work/root/etc/chromium"
refused "open to others" "a folder that everybody may write"

for path in etc/shadow etc/chromium/policies/managed/../../../shadow /etc/chromium/policies/managed/zz-icelock.json; do
  apply
  echo "root::" >"$work/root/etc/shadow"
  rm -r "$work/root/"{$firefox,etc/brave,etc/opt,$managed/zz-icelock.json}
  python3 - "$work/root/$ledger" "$path" <<'END'
import json, sys
text = json.load(open(sys.argv[1]))
text["files"] = [{"path": sys.argv[2], "original": None, "written": ["root::\n"]}]
json.dump(text, open(sys.argv[1], "w"))
END
  refused "no place" "a path that is no browser's ($path)"
done

for damage in 's/"v": 1/"v": 2/' 's/"files"/"fils"/' '$ d' 's/\\"/"/' 's/^\(.*\)written/\1\\x/' 's/"written": \[/"written": {/'; do
  apply
  sed -i "$damage" "$work/root/$ledger"
  refused "ledger.json" "a damaged ledger ($damage)"
done

apply
exec 9<"$work/root/var/lib/icelock"
flock 9
refused "at work" "another icelock"
