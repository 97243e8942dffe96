#!/usr/bin/env bash
# Makes sure that there is a Chromium for the tests of this module: Debian's package.
set -euo pipefail

command -v chromium >/dev/null && exit
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "The tests of hack/browser need Chromium. Install it so that \`chromium\` is in the PATH (Debian: apt-get install chromium)." >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
