#!/usr/bin/env bash
# Installs Debian's Redis where neither it nor Valkey is there and that is possible: tests of the shared rate start a server of their
# own, in memory. Where it cannot be installed, those tests are skipped and say so; with CI set, that is a failure.
set -euo pipefail

root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi; }
apt() { root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null; }
there() { command -v valkey-server >/dev/null || command -v redis-server >/dev/null; }

there && exit 0
echo "installing Redis for the tests that start one"
if apt redis-server && there; then exit 0; fi
echo "The tests of a rate that is shared in Valkey need valkey-server or redis-server, 7 or later: install one (Debian: apt-get install redis-server)."
if [ -n "${CI:-}" ]; then exit 1; fi
echo "They are skipped now."
