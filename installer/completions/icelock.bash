# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of icelock(1) for bash. tests/install/words.py holds the words against `icelock --help`.

_icelock() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' words='' i
  local levels='unrestricted default_route_only force_proxy disabled'
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *)
        verb=${COMP_WORDS[i]}
        break
        ;;
    esac
  done
  COMPREPLY=()
  case $before in
    --root)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --browser) words='chrome chromium edge brave vivaldi firefox' ;;
    --level)
      words=$levels
      [ "$verb" != allow ] || words='default_route_only unrestricted'
      ;;
    -o | --out)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    export) words='json linux reg reg-undo gpo intune macos ansible chrome-cloud' ;;
    --stun | --for | --timeout | --plan | --reason) return ;;
    *)
      case $verb in
        '') words='status watch predict check probe mode sites allow deny plan apply export revert history audit setup unsetup --help --version' ;;
        status | watch) words='--json --root --help' ;;
        predict) words='--json --root --stun --help' ;;
        check) words='--json --root --browser --stun --timeout --help' ;;
        probe) words='--json --stun --help' ;;
        mode)
          words='auto locked open --json --root --help'
          [ "$before" != locked ] || words=$levels
          ;;
        sites | deny | history) words='--json --root --help' ;;
        allow) words='--json --root --level --for --help' ;;
        plan)
          compopt -o default
          words='--json --root --browser --level --help'
          ;;
        apply)
          compopt -o default
          words='--json --root --browser --level --plan --yes --reason --help'
          ;;
        export)
          compopt -o default
          words='--json --browser --level --out --help'
          ;;
        revert) words='--json --root --browser --reason --help' ;;
        audit) words='--json --root --sarif --prometheus --help' ;;
        setup | unsetup) words='--json --root --browser --user --system --help' ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _icelock icelock
