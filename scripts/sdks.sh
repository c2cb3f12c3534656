#!/usr/bin/env bash
# Installs the official SDKs of npm, in e2e/sdk/js, once for make sdk and make sdkjs, which may run side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
exec 9>bin/sdks.lock
if command -v flock >/dev/null; then flock 9; fi
suites=e2e/sdk/js
[ $suites/node_modules/.package-lock.json -nt $suites/package-lock.json ] || npm --prefix $suites ci --ignore-scripts --no-audit --no-fund --loglevel=error
