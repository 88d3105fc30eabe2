# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Shared by installer/quickstart.sh and tests/run.sh: sourced, not run.

say() { printf '\n== %s\n' "$*"; }
die() {
  printf 'icelock: %s\n' "$*" >&2
  exit 1
}

# What building icelock needs, what its tests need besides, and the checks' own tools. `A|B` is B where there is no A:
# Debian 12's plain Boost (1.74) is too old, and later systems no longer have 1.81.
build_packages=(g++ cmake ninja-build ccache pkg-config ca-certificates
  nlohmann-json3-dev libcpp-httplib-dev libnice-dev 'libboost1.81-dev|libboost-dev'
  libmnl-dev libcli11-dev libvalijson-dev libsystemd-dev)
test_packages=(chromium chromium-l10n firefox-esr coturn openvpn wireguard-go wireguard-tools strongswan-charon
  strongswan-swanctl libcharon-extra-plugins openconnect vpnc-scripts ocserv tinc tayga socat redsocks network-manager network-manager-openvpn tinyproxy-bin microsocks nftables iproute2 curl
  python3 python3-jsonschema python3-yaml openssl procps util-linux strace libgtest-dev libgmock-dev git
  ansible-core python3-samba wine64 libxml2-utils)
# Debian 13 has no SoftEther: what needs it says so there, and is left out.
test_packages_where_known=(softether-vpnclient softether-vpnserver softether-vpncmd)
# One tunnel and one STUN server.
demo_packages=(openvpn coturn nftables iproute2 openssl procps util-linux)
# Package and unit: what would listen to the network, or take it over, as soon as it is installed. The lab starts them
# itself, in namespaces of its own.
demo_services=(coturn:coturn)
test_services=("${demo_services[@]}" ocserv:ocserv softether-vpnserver:softether-vpnserver
  softether-vpnclient:softether-vpnclient tinc:tinc tayga:tayga redsocks:redsocks network-manager:NetworkManager
  network-manager:NetworkManager-wait-online)
check_packages=(clang-format-19 clang-tidy-19 shellcheck)
# Making and testing the Debian package and the system service.
package_packages=(dpkg-dev file gzip lintian systemd systemd-container)

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# One clear line when this is no machine that the packages fit.
require_supported_system() {
  local id='' like='' version=''
  [ "$(uname -s)" = Linux ] || die "this script is for Linux; found $(uname -s)"
  if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && echo "${ID:-}")
    like=$(. /etc/os-release && echo "${ID_LIKE:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  case " $id $like " in
    *' debian '* | *' ubuntu '*) ;;
    *) die "this script needs Debian 12 or a newer relative (apt); found '${id:-unknown}'" ;;
  esac
  if [ "$id" = debian ] && [ -n "$version" ] && [ "${version%%.*}" -lt 12 ]; then
    die "this script needs Debian 12 or newer; found Debian $version"
  fi
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "run this as root, or install sudo"
}

installed() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]; }

# Masks the units (PACKAGE:UNIT) of packages that are not there yet, so that installing them starts nothing.
keep_services_off() {
  local entry unit
  for entry in "$@"; do
    unit=/etc/systemd/system/${entry#*:}.service
    if ! installed "${entry%%:*}" && [ ! -e "$unit" ] && [ ! -L "$unit" ]; then
      as_root mkdir -p /etc/systemd/system
      as_root ln -s /dev/null "$unit"
    fi
  done
}

known() { installed "$1" || [ -n "$(apt-cache --quiet=0 madison "$1" 2>/dev/null)" ]; }

# The first of A|B that is installed or that apt knows; the last when it knows none.
one_of() {
  local package
  for package in ${1//|/ }; do
    if known "$package"; then break; fi
  done
  echo "$package"
}

# For after install_packages, which asks apt for the newest lists where anything is missing.
install_known_packages() {
  local found=() package
  for package in "$@"; do
    if known "$package"; then found+=("$package"); else echo "there is no package $package for this system"; fi
  done
  if [ ${#found[@]} -gt 0 ]; then install_packages "${found[@]}"; fi
}

install_packages() {
  local missing=() package
  for package in "$@"; do installed "$(one_of "$package")" || missing+=("$package"); done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "all $# packages are there"
    return
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  for package in "${!missing[@]}"; do missing[package]=$(one_of "${missing[package]}"); done
  echo "installing: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    "${missing[@]}" </dev/null >/dev/null || die "apt could not install: ${missing[*]}"
}

# Node from wherever it is, if it is recent enough; else Debian's.
install_node() {
  if command -v node >/dev/null && command -v npm >/dev/null &&
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ]; then
    echo "node $(node --version) is there"
  else
    install_packages nodejs npm
  fi
}
