#compdef icelock
# SPDX-License-Identifier: Apache-2.0
# Completion of icelock(1) for zsh. tests/install/words.py holds the words against `icelock --help`.

_icelock() {
  local -a verbs common root browser level scope stun reason
  local levels='(unrestricted default_route_only force_proxy disabled)'
  verbs=(
    'status:what the network is, what was decided and what each browser obeys'
    'watch:the same as a stream'
    'predict:what a page could learn at each level in each browser family'
    'check:the proof: real browsers open a page that looks for addresses'
    'probe:each link, and the ICE candidates gathered on it'
    'mode:follow the network, keep WebRTC locked, or leave it open'
    'sites:the sites that may do more than the lock allows'
    'allow:let pages of one site do more than the lock allows'
    'deny:take such an exception back'
    'plan:what apply would change'
    'apply:lock WebRTC by browser policy for all users, as planned'
    'export:the policy in the words of what a fleet already runs'
    'revert:put every policy file back as it was'
    'history:each apply and revert, when, by whom, and why'
    'audit:what is in force in each browser, why, and all mistakes'
    'setup:let browsers start icelock-host'
    'unsetup:take the native-messaging manifests away again'
  )
  common=('(-h --help)'{-h,--help}'[print a short help]' '--json[print JSON]')
  root=('--root[use the system files below this folder]:folder:_files -/')
  browser=('*--browser[only this browser]:browser:(chrome chromium edge brave vivaldi firefox)')
  level=("--level[the level to set]:level:$levels")
  reason=('--reason[why, for the history]:text:')
  stun=('--stun[STUN server to ask]:server:_hosts')
  scope=('(--system)--user[for this user only]' '(--user)--system[for all users of this machine]')

  if ((CURRENT == 2)); then
    _describe -t verbs 'verb' verbs
    _arguments '(-h --help)'{-h,--help}'[print a short help]' '--version[print the version]'
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
    status | watch) _arguments $common $root ;;
    predict) _arguments $common $root $stun ;;
    check)
      _arguments $common $root $browser '*--stun[STUN server to ask]:server:_hosts' \
        '--timeout[seconds that each browser may take]:seconds:'
      ;;
    probe) _arguments $common $stun ;;
    mode) _arguments $common $root '1:mode:(auto locked open)' "2:level:$levels" ;;
    sites | history) _arguments $common $root ;;
    allow)
      _arguments $common $root '--level[how far they may go]:level:(default_route_only unrestricted)' \
        '--for[how long: 90s, 15m, 1h, 7d]:time:' '1:pattern:_hosts'
      ;;
    deny) _arguments $common $root '1:pattern:_hosts' ;;
    plan) _arguments $common $root $browser $level '1:policy document:_files' ;;
    apply) _arguments $common $root $browser $level '(-y --yes)--plan[only this plan]:fingerprint:' \
      '(--plan)'{-y,--yes}'[whatever it changes]' $reason '1:policy document:_files' ;;
    export)
      _arguments $common $browser $level '(-o --out)'{-o,--out}'[the file or new folder to write]:path:_files' \
        '1:format:(json linux reg reg-undo gpo intune macos ansible chrome-cloud)' '2:policy document:_files'
      ;;
    revert) _arguments $common $root $browser $reason ;;
    audit) _arguments $common $root '(--prometheus)--sarif[print SARIF]' '(--sarif)--prometheus[print metrics]' ;;
    setup | unsetup) _arguments $common $root $browser $scope ;;
  esac
}

_icelock "$@"
