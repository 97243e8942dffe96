#!/usr/bin/env bash
# Makes sure that there is an HAProxy for the control plane as in production: Debian's package.
set -euo pipefail

command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] && exit
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "The fault matrix needs HAProxy. Install it so that \`haproxy\` is in the PATH (Debian: apt-get install haproxy)." >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends haproxy
