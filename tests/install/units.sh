#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The systemd files: valid without a word from systemd-analyze, tight (exposure at most 1.5), and of one mind about
# the folders that the service may write. usage: units.sh [--programs FOLDER]
set -eu
export LC_ALL=C
most_exposed=15  # tenths, as systemd-analyze counts them: 1.2 was measured
programs=''
[ "${1:-}" != --programs ] || programs=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
  echo "skipped: $*"
  exit $((${ICELOCK_REQUIRE:-0} == 1 ? 1 : 77))
}
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/units"
cp installer/systemd/*.service installer/systemd/*.socket "$work/units"
# The program is not installed where the unit says; a built one has the same rights, and else true(1) will do.
program=/bin/true
[ ! -x "$programs/icelockd" ] || program=$programs/icelockd
sed -i "s,^ExecStart=/usr/sbin/icelockd,ExecStart=$program," "$work/units/icelockd.service"

# It exits 0 for an unknown key and a bad value: what it says is what counts. The manual pages are not installed.
if ! systemd-analyze verify --man=no "$work"/units/* >"$work/said" 2>&1 || [ -s "$work/said" ]; then
  fail "systemd-analyze verify says:
$(cat "$work/said")"
fi
echo "verify: no complaint"

systemd-analyze security --offline=true --threshold="$most_exposed" "$work/units/icelockd.service" \
  >"$work/score" 2>&1 || fail "too much is open:
$(grep -v '^[+ ]' "$work/score")"
tail -n 1 "$work/score"

writable=$(sed -n 's/^ReadWritePaths=-//p' installer/systemd/icelockd.service | sort)
made=$(sed -n 's/^d \([^ ]*\) .*/\1/p' installer/systemd/icelock.tmpfiles.conf | sort)
parents=$(grep -vx /etc/opt <<<"$made")  # it is the others' parent only
[ "$writable" = "$parents" ] || fail "icelockd.service writes other folders than tmpfiles.d makes:
$(diff <(echo "$writable") <(echo "$parents"))"
# The table of the browsers is the third to know them.
known=$(grep -oE '"etc/([a-z/]+/policies|icelock)/' host/policy/browsers.cpp |
  sed 's,^",/,; s,/$,,; s,/policies$,,' | sort -u)
[ "$writable" = "$known" ] || fail "host/policy/browsers.cpp has other policy folders than icelockd.service:
$(diff <(echo "$writable") <(echo "$known"))"
echo "policy folders: $(wc -l <<<"$writable"), the same in the service, in tmpfiles.d and in the browser table"

if command -v systemd-sysusers >/dev/null && command -v systemd-tmpfiles >/dev/null; then
  mkdir -p "$work/root/etc/opt/chrome"
  chmod 0750 "$work/root/etc/opt/chrome"
  systemd-sysusers --dry-run "$PWD/installer/systemd/icelock.sysusers.conf" >"$work/said" 2>&1 ||
    fail "systemd-sysusers: $(cat "$work/said")"
  if [ "$(id -u)" -eq 0 ]; then
    systemd-tmpfiles --root="$work/root" --create "$PWD/installer/systemd/icelock.tmpfiles.conf" 2>&1
    for folder in $made; do [ -d "$work/root$folder" ] || fail "tmpfiles.d did not make $folder"; done
    [ "$(stat -c %a "$work/root/etc/opt/chrome")" = 750 ] || fail "tmpfiles.d changed a folder that was there"
  fi
fi
