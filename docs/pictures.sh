#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the pictures of README.md anew, in docs/pictures: as root, after tests/run.sh (which installs and builds).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/lab/enter node tests/lab/demo.mjs "$PWD/build/dev/bin" chromium |
  node tests/extension/shots/readme.mjs docs/pictures
