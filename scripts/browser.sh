#!/usr/bin/env bash
# Runs the browser tests in e2e/browser, or those that are named, with Node and Chromium, installing what is missing where it can.
# "pictures" as the first word makes the pictures in docs/pictures instead, or those of the pages that are named.
# "install" installs and builds what they need, and runs none.
# CHROMIUM names the browser (default: the first of chromium, chromium-browser, google-chrome).
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- e2e/browser/*.test.mjs

[ -f e2e/browser/package.json ] || { echo "there are no browser tests"; exit 0; }

root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi; }
apt() { root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null; }
find_browser() { for b in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do [ -n "$b" ] && command -v "$b" && return; done; return 1; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "installing Node for the browser tests"
  apt nodejs npm || { echo "The browser tests need Node 20 or later with npm: install them (Debian: apt-get install nodejs npm) and run make browser again."; exit 1; }
fi
if ! browser=$(find_browser); then
  echo "installing Chromium for the browser tests"
  apt chromium || { echo "The browser tests need Chromium: install it (Debian: apt-get install chromium), or name one with CHROMIUM=/path, and run make browser again."; exit 1; }
  browser=$(find_browser)
fi

# One test makes sign-ins older in the database of a broker that runs.
command -v sqlite3 >/dev/null || apt sqlite3 || { echo "The browser tests need sqlite3: install it (Debian: apt-get install sqlite3) and run make browser again."; exit 1; }

mkdir -p bin
CGO_ENABLED=0 go build -o bin/aipassport ./cmd/aipassport
[ e2e/browser/node_modules/.package-lock.json -nt e2e/browser/package-lock.json ] || npm --prefix e2e/browser ci --no-audit --no-fund --loglevel=error
[ "$1" != install ] || exit 0
export CHROMIUM=$browser AIPASSPORT_BIN=$PWD/bin/aipassport
if [ "$1" = pictures ]; then
  shift
  exec node e2e/browser/pictures.mjs docs/pictures "$@"
fi
node --test --test-concurrency=1 --test-reporter=spec "$@"
