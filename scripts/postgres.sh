#!/usr/bin/env bash
# Installs Debian's Postgres where its programs are missing and that is possible: tests start a server of their own from them, in a
# temporary directory. Where it cannot be installed, those tests are skipped and say so; with CI set, that is a failure.
set -euo pipefail

root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi; }
apt() { root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null; }
there() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

there && exit 0
echo "installing Postgres for the tests that start one"
if apt postgresql && there; then exit 0; fi
echo "The ledger's tests on Postgres need its programs (initdb, pg_ctl, postgres), 15 or later: install them (Debian: apt-get install postgresql)."
if [ -n "${CI:-}" ]; then exit 1; fi
echo "They are skipped now."
