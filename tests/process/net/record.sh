#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# record.sh TEST_BINARY: makes tests/unit/net/recorded/*.hex anew from the kernel it runs on. Needed when the
# prober asks other questions than before.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 777 "$scratch"
ICELOCK_RECORD="$scratch" "$here/in_namespace.sh" "$1" --gtest_filter='Kernel/*'
cp "$scratch"/*.hex "$here/../../unit/net/recorded/"
