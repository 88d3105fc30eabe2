# SPDX-License-Identifier: Apache-2.0
# Completion of icelock(1) for fish. tests/install/words.py holds the words against `icelock --help`.

set -l verbs status watch predict check probe mode sites allow deny plan apply export revert history audit setup unsetup
set -l levels 'unrestricted default_route_only force_proxy disabled'

complete -c icelock -f
complete -c icelock -s h -l help -d 'Print a short help'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -l version -d 'Print the version'

complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a status -d 'Network, decision, what each browser obeys'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a watch -d 'The same as a stream'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a predict -d 'What a page could learn at each level'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a check -d 'The proof with real browsers'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a probe -d 'Links and the ICE candidates on them'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a mode -d 'Follow the network, lock, or leave open'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a sites -d 'Sites that may do more than the lock allows'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a allow -d 'Let one site do more than the lock allows'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a deny -d 'Take such an exception back'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a plan -d 'What apply would change'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a apply -d 'Lock WebRTC by browser policy'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a export -d 'The policy for what a fleet already runs'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a revert -d 'Put every policy file back'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a history -d 'Who applied and reverted what, and why'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a audit -d 'What is in force, and all mistakes'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a setup -d 'Let browsers start icelock-host'
complete -c icelock -n "not __fish_seen_subcommand_from $verbs" -a unsetup -d 'Take the manifests away again'

complete -c icelock -n "__fish_seen_subcommand_from $verbs" -l json -d 'Print JSON'
complete -c icelock -n '__fish_seen_subcommand_from status watch predict check mode sites allow deny plan apply revert history audit setup unsetup' \
  -l root -x -a '(__fish_complete_directories)' -d 'Use the system files below this folder'
complete -c icelock -n '__fish_seen_subcommand_from probe predict check' -l stun -x -d 'STUN server to ask'
complete -c icelock -n '__fish_seen_subcommand_from check' -l timeout -x -d 'Seconds that each browser may take'
complete -c icelock -n '__fish_seen_subcommand_from mode; and not __fish_seen_subcommand_from auto locked open' \
  -a 'auto locked open'
complete -c icelock -n '__fish_seen_subcommand_from mode; and __fish_seen_subcommand_from locked' -a $levels
complete -c icelock -n '__fish_seen_subcommand_from check plan apply export revert setup unsetup' \
  -l browser -x -a 'chrome chromium edge brave vivaldi firefox' -d 'Only this browser'
complete -c icelock -n '__fish_seen_subcommand_from allow' -l level -x -a 'default_route_only unrestricted' -d 'How far'
complete -c icelock -n '__fish_seen_subcommand_from allow' -l for -x -d 'How long: 90s, 15m, 1h, 7d'
complete -c icelock -n '__fish_seen_subcommand_from plan apply export' -l level -x -a $levels -d 'The level to set'
complete -c icelock -n '__fish_seen_subcommand_from setup unsetup' -l user -d 'For this user only'
complete -c icelock -n '__fish_seen_subcommand_from setup unsetup' -l system -d 'For all users of this machine'
complete -c icelock -n '__fish_seen_subcommand_from audit' -l sarif -d 'Print SARIF'
complete -c icelock -n '__fish_seen_subcommand_from audit' -l prometheus -d 'Print metrics'
complete -c icelock -n '__fish_seen_subcommand_from apply' -l plan -x -d 'Only the plan with this fingerprint'
complete -c icelock -n '__fish_seen_subcommand_from apply' -s y -l yes -d 'Without a plan, whatever it changes'
complete -c icelock -n '__fish_seen_subcommand_from apply revert' -l reason -x -d 'Why, for the history'
complete -c icelock -n '__fish_seen_subcommand_from plan apply export' -F
complete -c icelock -n '__fish_seen_subcommand_from export' -s o -l out -r -F -d 'The file or new folder to write'
complete -c icelock -n '__fish_seen_subcommand_from export' \
  -a 'json linux reg reg-undo gpo intune macos ansible chrome-cloud'
