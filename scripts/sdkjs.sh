#!/usr/bin/env bash
# Builds the client for web apps, sdk/js, and drives it in Chromium against the built broker.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v npm >/dev/null || { echo "The client for web apps needs Node 20 or later with npm: install them (Debian: apt-get install nodejs npm), or run make browser, which does where it can."; exit 1; }
npm --prefix sdk/js ci --no-audit --no-fund --loglevel=error
scripts/sdks.sh # which the tests bring into a page
npm --prefix sdk/js run --silent build
cmp sdk/js/dist/aipassport.js examples/repo-mood/aipassport.js || { echo "examples/repo-mood has another build of sdk/js: copy sdk/js/dist/aipassport.js there."; exit 1; }
scripts/browser.sh sdk/js/test/*.test.mjs
