#!/bin/bash
# shellcheck disable=SC2154  # tool and work come from common.sh
# SPDX-License-Identifier: Apache-2.0
# Kills icelock at each system call that changes something. After each kill every policy file must be
# whole, old or new, and the next revert must bring back the tree as it was.
. "$(dirname "$0")/common.sh"
strace -o /dev/null true 2>/dev/null || skip "strace cannot trace here"

# Between two of these the disk does not change, but for a file's making, which a write follows.
calls="mkdirat write fchmod fchown utimensat fsync linkat renameat renameat2 unlinkat"
files="etc/firefox/policies/policies.json etc/chromium/policies/managed/zz-icelock.json
  etc/brave/policies/managed/zz-icelock.json"
strict="chromium=force_proxy firefox=force_proxy brave=force_proxy"
loose="chromium=default_route_only firefox=default_route_only brave=default_route_only"

make_root "$work/plain"
original=$(snapshot "$work/plain")
cp -a "$work/plain" "$work/loose" && "$tool" "$work/loose" apply $loose >/dev/null
cp -a "$work/loose" "$work/strict" && "$tool" "$work/strict" apply $strict >/dev/null

content() { [ -e "$1" ] && sha256sum <"$1" || echo none; }

# run START END ARGUMENTS...: from the tree START, which the command would turn into END.
run() {
  local start=$work/$1 end=$work/$2
  shift 2
  local kills=0
  for call in $calls; do
    rm -rf "$work/count" && cp -a "$start" "$work/count"
    strace -f -o "$work/trace" -e "trace=$call" "$tool" "$work/count" "$@" >/dev/null
    local total
    total=$(grep -c "^[0-9]* *$call(" "$work/trace" || true)
    for n in $(seq 1 "$total"); do
      rm -rf "$work/now" && cp -a "$start" "$work/now"
      local code=0
      # In a shell of its own, whose word about the killing nobody needs.
      (
        strace -f -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
          "$tool" "$work/now" "$@" >/dev/null
        exit $?
      ) 2>/dev/null || code=$?
      [ "$code" = 137 ] || fail "$call $n of $total did not kill, but: $code"
      kills=$((kills + 1))
      for file in $files; do
        local now
        now=$(content "$work/now/$file")
        [ "$now" = "$(content "$start/$file")" ] || [ "$now" = "$(content "$end/$file")" ] ||
          fail "$file is neither old nor new after $call $n ($*)"
      done
      # Chromium parses every file in its folder, so none of icelock's own may ever stand there.
      [ "$(cd "$work/now/etc/chromium/policies/managed" && echo * .[!.]*)" = \
        "admin.json zz-icelock.json .[!.]*" ] || fail "a stray file in managed after $call $n ($*)"
      if [ "$1" = apply ] && [ $((n % 3)) = 0 ]; then # adopted by the next apply, too
        "$tool" "$work/now" apply $strict >/dev/null || fail "apply after $call $n"
        [ "$("$tool" "$work/now" installed chromium firefox brave | grep -c force_proxy)" = 3 ] ||
          fail "not installed by the apply after $call $n"
      fi
      "$tool" "$work/now" revert >/dev/null || fail "revert after $call $n ($*)"
      same "$original" "$(snapshot "$work/now")" "not as before after $call $n ($*)"
    done
  done
  echo "$*: $kills kills"
}

run plain strict apply $strict
run loose strict apply $strict
run strict plain revert
