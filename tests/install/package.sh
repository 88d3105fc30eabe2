#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package: lintian, then installed, used, removed and purged in an overlay over this very system, of which
# everything that changed is looked at. Nothing real is touched, no network is needed, no systemd runs in there.
# usage: package.sh BUILD_FOLDER
# ICELOCK_DEB=FILE takes a package that is already made.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

skip() {
  echo "skipped: $*"
  exit $((${ICELOCK_REQUIRE:-0} == 1 ? 1 : 77))
}
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || skip "needs root, for a mount namespace and for dpkg"
for tool in dpkg cpack lintian dpkg-shlibdeps; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done
if [ "${ICELOCK_IN_NAMESPACE:-}" != 1 ]; then
  unshare -m true 2>/dev/null || skip "no mount namespace"
  ICELOCK_IN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi

work=$(mktemp -d)
trap 'umount -R "$work" 2>/dev/null; rmdir "$work"' EXIT
mount -t tmpfs -o mode=755 tmpfs "$work"  # the upper layers; goes with the namespace
mkdir "$work"/{before,before.work,after,after.work,old,root}

overlay() { # PLACE OPTIONS: this system, with what the layers say
  mount -t overlay -o "$2" overlay "$1" 2>/dev/null || skip "no overlay file system"
}
enter() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root "$@"; }
run() { # LABEL COMMAND...: in the overlay; what it says is shown only if it fails, and kept in $said
  local label=$1
  shift
  said=$(enter "$@" 2>&1) || fail "$label: exit $?
$said"
}
there() { [ -e "$work/root$1" ] || fail "$2: $1 is not there"; }
gone() { if [ -e "$work/root$1" ] || [ -L "$work/root$1" ]; then fail "$2: $1 is there"; fi; }

say_what() { # FOLDER PATH: kind, mode, owner, time, content; nothing for what is not there
  local path=$1/$2
  if [ -f "$path" ] && [ ! -L "$path" ]; then
    stat -c '%F %a %u:%g' "$path"
    # These two are written anew by each tool that touches them.
    case $2 in etc/group | etc/gshadow) ;; *) stat -c %y "$path" ;; esac
    sha256sum <"$path"
  elif [ -e "$path" ] || [ -L "$path" ]; then
    stat -c '%F %a %u:%g %N' "$path" | sed "s,'$1,',"
  fi
}
# dpkg's books, what its triggers refresh, the spare copies that the tools of /etc/group keep, and other mounts.
not_looked_at='^(var/lib/dpkg|var/cache/man|var/cache/ldconfig|dev|proc|run|tmp)(/|$)|^var/log/dpkg\.log$'
not_looked_at+='|^etc/(ld\.so\.cache|group-|gshadow-|\.pwd\.lock)$'
# All else that differs from the system before. Only what is in the upper layer can differ.
changes() {
  (cd "$work/after" && find . -mindepth 1 -printf '%P\n') | sort | grep -vE "$not_looked_at" |
    while read -r path; do
      if [ "$(say_what "$work/old" "$path")" != "$(say_what "$work/root" "$path")" ]; then
        [ -e "$work/old/$path" ] || [ -L "$work/old/$path" ] || { echo "added /$path"; continue; }
        [ -e "$work/root/$path" ] || [ -L "$work/root/$path" ] || { echo "removed /$path"; continue; }
        echo "changed /$path"
      fi
    done
}
unchanged() { # LABEL [EXPECTED]
  local found
  found=$(changes)
  [ "$found" = "${2:-}" ] || fail "$1: the tree is not as before:
$(diff <(echo "${2:-}") <(echo "$found"))"
  echo "$1: the tree is as before${2:+, but for: $2}"
}

if [ -n "${ICELOCK_DEB:-}" ]; then
  deb=$ICELOCK_DEB
else
  cpack -G DEB --config "$1/CPackConfig.cmake" -B "$work/package" >"$work/said" 2>&1 ||
    fail "cpack: $(cat "$work/said")"
  deb=$(echo "$work"/package/*.deb)
fi
[ -f "$deb" ] || fail "no package $deb"

lintian --allow-root --fail-on error,warning "$deb" 2>&1 || fail "lintian"
echo "lintian: no error, no warning"

# A machine on which others have been at work: an admin's policies, a Chromium folder, an empty one of Edge's, none of
# the others'.
overlay "$work/root" "lowerdir=/,upperdir=$work/before,workdir=$work/before.work"
(
  cd "$work/root"
  rm -rf etc/brave etc/firefox etc/opt/* etc/chromium/policies etc/icelock var/lib/icelock
  mkdir -p etc/chromium/policies/managed etc/firefox/policies etc/opt/edge
  printf '{ "HomepageLocation" : "x" }' >etc/chromium/policies/managed/admin.json
  printf '{\r\n\t"policies": {\r\n\t\t"DisableTelemetry": true\r\n\t}\r\n}' >etc/firefox/policies/policies.json
  chmod 0640 etc/firefox/policies/policies.json
  touch -d '2021-02-03 04:05:06.789012345' etc/firefox/policies/policies.json
)
umount "$work/root"
overlay "$work/old" "lowerdir=$work/before:/"
overlay "$work/root" "lowerdir=$work/before:/,upperdir=$work/after,workdir=$work/after.work"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mount -t tmpfs tmpfs "$work/root/run"
mount -t tmpfs tmpfs "$work/root/tmp"
cp "$deb" "$work/root/tmp/icelock.deb"
# Without triggers: the index of all manual pages takes longer than all the rest.
dpkg=(dpkg --force-unsafe-io --no-triggers)
enter dpkg -s icelock >/dev/null 2>&1 && skip "icelock is installed on this machine"

install() { run "install" "${dpkg[@]}" -i /tmp/icelock.deb; }
policies=(/etc/chromium/policies/managed/zz-icelock.json /etc/brave/policies/managed/zz-icelock.json)
firefox=/etc/firefox/policies/policies.json
apply() {
  run apply icelock apply --yes --browser chromium --browser firefox --browser brave
  for policy in "${policies[@]}" /var/lib/icelock/ledger.json; do there "$policy" apply; done
}

# --- What an installation brings.
install
run "--version" icelock --version
for place in /etc/chromium /etc/opt/chrome /etc/opt/edge /etc/opt/vivaldi /usr/lib/mozilla; do
  there "$place/native-messaging-hosts/icelock.host.json" install
  host=$(sed -n 's/.*"path": "\(.*\)",*/\1/p' "$work/root$place/native-messaging-hosts/icelock.host.json")
  [ "$host" = /usr/bin/icelock-host ] || fail "the manifest in $place names '$host'"
done
[ -x "$work/root/usr/bin/icelock-host" ] || fail "no host"
enter icelock probe --json >/dev/null || fail "icelock does not find or cannot run its own icelock-gather"
[ -x "$work/root/usr/libexec/icelock/icelock-check" ] || fail "no icelock-check"
for unit in multi-user.target.wants/icelockd.service sockets.target.wants/icelockd-{host,http}.socket; do
  [ -L "$work/root/etc/systemd/system/$unit" ] || fail "$unit is not enabled"
done
enter getent group icelock >/dev/null || fail "no group"
sed -n 's/^ReadWritePaths=-//p' "$work/root/usr/lib/systemd/system/icelockd.service" |
  while read -r folder; do there "$folder" "the service may write it"; done
gone /etc/chromium/policies/managed/zz-icelock.json "no policy without consent"
echo "install: programs, manifests, units, group, folders"

# --- Removed, settings and policies stay; purged, all is as it was, by what dpkg kept.
echo '{"floor": "force_proxy"}' >"$work/root/etc/icelock/icelock.json"
apply
run remove "${dpkg[@]}" -r icelock
for file in /usr/bin/icelock /usr/sbin/icelockd /etc/{chromium,opt/chrome}/native-messaging-hosts/icelock.host.json; do
  gone "$file" remove
done
for file in /etc/icelock/icelock.json "${policies[@]}"; do there "$file" "remove keeps"; done
run purge "${dpkg[@]}" -P icelock
unchanged "apply, remove, purge"

# --- Taken back by its own hand first; an upgrade on the way.
install
apply
install
run revert icelock revert
run purge "${dpkg[@]}" -P icelock
unchanged "apply, upgrade, revert, purge"

# --- What somebody edited since is not ours to undo without the program that understands it.
install
apply
edit() { sed -i 's/"DisableTelemetry": true/"DisableTelemetry": false/' "$1$firefox"; }
edit "$work/root"
cp -p "$work/root$firefox" "$work/edited"
run purge "${dpkg[@]}" -P icelock
grep -q "icelock revert" <<<"$said" || fail "purge does not say what to do: $said"
cmp -s "$work/edited" "$work/root$firefox" || fail "purge touched the edited file"
there /var/lib/icelock/ledger.json "purge with an edited file"
for policy in "${policies[@]}"; do gone "$policy" "purge with an edited file"; done
install
run revert icelock revert
run purge "${dpkg[@]}" -P icelock
unchanged "apply, edit, purge, install, revert, purge" "changed $firefox"
grep -q '"DisableTelemetry": false' "$work/root$firefox" || fail "the edit is lost"
! grep -q peerconnection "$work/root$firefox" || fail "icelock's keys stayed"
