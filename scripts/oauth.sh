#!/usr/bin/env bash
# Runs the flows of OAuth client libraries of npm against the built broker (e2e/oauth), installing Node where it can.
set -euo pipefail
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi; }
apt() { root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "installing Node for the OAuth client libraries"
  apt nodejs npm || { echo "The OAuth client libraries need Node 20 or later with npm: install them (Debian: apt-get install nodejs npm) and run make oauth again."; exit 1; }
fi

npm --prefix e2e/oauth ci --ignore-scripts --no-audit --no-fund --loglevel=error
E2E_NPM=1 go test -count=1 -timeout 5m -run '^TestOAuthClientLibrariesOfNpm$' ./e2e/
