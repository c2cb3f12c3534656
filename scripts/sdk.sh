#!/usr/bin/env bash
# Drives the built broker with the official SDKs of Go and npm (e2e/sdk), installing Node where it can. Arguments go to e2e/sdk:
# -write writes docs/reference/sdks.md instead of comparing it, -only go and -run NAME narrow the run.
set -euo pipefail
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi; }
apt() { root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >/dev/null; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "installing Node for the suites of the SDKs"
  apt nodejs npm || { echo "The suites of the SDKs need Node 20 or later with npm: install them (Debian: apt-get install nodejs npm) and run make sdk again."; exit 1; }
fi

mkdir -p bin
CGO_ENABLED=0 go build -o bin/aipassport ./cmd/aipassport
go build -o bin/sdk ./e2e/sdk
(cd e2e/sdk/go && go mod download && go test -c -o /dev/null .)
scripts/sdks.sh
bin/sdk "$@"
