# `make` alone lists the targets. Needs Go (see go.mod) and, for -race, a C compiler; what else a target needs it installs or names.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO ?= go
FUZZTIME ?= 30s
SIM_RUNS ?= 1500
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Packages whose tests run under -race in `make test`: those in which goroutines share something. e2e has a target of its own.
RACE_PACKAGES := ./guard/... ./gateway ./gateway/upstream ./authority/... ./server/... ./store/... ./internal/flood/... ./internal/fakeprovider/...

# Of e2e, what is concurrent, against a binary built with -race (make e2e RACE=1 runs all of it so).
RACE_E2E := TestThreat01|TestThreat02Abort|TestThreat03APeer|TestThreat09Revoke|TestThreat09Client|TestDrain|TestStreams

# What -race would only repeat, slowly: one caller after the other, on a writer that other tests share. Of the stores' contract the cases
# are run in which many do something at once.
RACE_SKIP := TestEnginesGiveTheSameAnswers|KeepsTheContract
RACE_CASES := KeepsTheContract/(race|many|once|after_a_revoke|stands_behind)

# All is compiled as the binary is that is released: what one target has compiled serves the others. The race detector alone needs cgo.
export CGO_ENABLED := 0

# How many of the tests that wait most of the time, for processes, leases and disks, a package runs at once.
PARALLEL := 8

.DEFAULT_GOAL := help
.PHONY: help demo dev build test unit sim simpg race e2e sdks pages clients tools sdk oauth browser pictures sdkjs postgres valkey check fmt vet staticcheck vuln fuzz bench gobench clean

help: ## List the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /\1\t/' | awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: ## Tell the whole story with a built-in sandbox provider, then stay up to look around
	$(GO) run ./cmd/aipassport demo

dev: ## Run the broker from source, state in ./data
	AIPASSPORT_DATA=$${AIPASSPORT_DATA:-$(CURDIR)/data/broker} $(GO) run ./cmd/aipassport serve

build: ## Build one static binary, bin/aipassport, optimised by the profile of a broker under load
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=cmd/aipassport/release.pgo -o bin/aipassport ./cmd/aipassport

test: postgres valkey ## Run every test; installs what the tests of Postgres and of the pages need
	@# What all would compile is compiled once.
	$(GO) build -o bin/aipassport ./cmd/aipassport
	@# Side by side: the stores' tests wait for disks most of the time, the simulator on Postgres for leases, the other one for nothing.
	$(MAKE) --no-print-directory -j4 unit sim simpg tools
	@# What drives the broker through SDKs waits for processes, the race detector for nothing.
	$(MAKE) --no-print-directory -j2 race sdks
	@# Two side by side again: both wait for processes that they have started. On two cores three take longer than one after the other.
	$(MAKE) --no-print-directory -j2 e2e pages

sdks: tools
	$(MAKE) --no-print-directory -j1 sdk oauth

pages: tools
	$(MAKE) --no-print-directory -j1 browser sdkjs

clients: tools ## What uses the built broker from outside: SDKs, OAuth libraries, the pages in Chromium, the client for web apps
	$(MAKE) --no-print-directory -j1 sdks pages

tools: ## Install Node and Chromium where that is possible, and build the broker for what drives it from outside
	scripts/browser.sh install

postgres: ## Install Postgres for the tests that start one, where that is possible
	scripts/postgres.sh

valkey: ## Install Redis for the tests that start one, where that is possible
	scripts/valkey.sh

unit: ## All Go tests but e2e and the simulator
	$(GO) test -timeout 20m -parallel $(PARALLEL) $$($(GO) list ./... | grep -v -e /e2e -e /internal/ledgersim)

sim: ## Simulate the ledger for SIM_RUNS seeds (1500), crashes and failing disks among them, and once with each fault at each write
	$(GO) test -count=1 -skip OnPostgres ./internal/ledgersim/ -sim.runs $(SIM_RUNS)

simpg: ## Simulate the ledger of two instances on Postgres
	$(GO) test -vet=off -count=1 -run OnPostgres ./internal/ledgersim/

race: ## The tests of what runs concurrently, under the race detector
	@command -v $${CC:-gcc} >/dev/null || { echo "make race: the race detector needs a C compiler; install gcc (Debian: apt-get install gcc)"; exit 1; }
	@# Vet looks at each package once, in unit, sim and e2e.
	CGO_ENABLED=1 $(GO) test -race -vet=off -timeout 20m -parallel $(PARALLEL) -skip '$(RACE_SKIP)' $(RACE_PACKAGES)
	CGO_ENABLED=1 $(GO) test -race -vet=off -timeout 20m -parallel $(PARALLEL) -run '$(RACE_CASES)' ./store/...
	E2E_RACE=1 $(GO) test -vet=off -count=1 -timeout 15m -parallel $(PARALLEL) -run '$(RACE_E2E)' ./e2e/

e2e: ## Start the built binary against a fake provider: lifecycle, money, crashes, threats (RACE=1: binary with -race)
	E2E_RACE=$${RACE:-} $(GO) test -count=1 -timeout 20m -parallel $(PARALLEL) ./e2e/...

sdk: ## Drive the built broker with the official SDKs and compare docs/reference/sdks.md with what was seen (SDK=-write writes it)
	scripts/sdk.sh $(SDK)

oauth: ## Run the flows of OAuth client libraries of npm against the built broker
	scripts/oauth.sh

browser: ## Drive the pages in Chromium (screenshots in e2e/browser/shots, unless CI is set)
	scripts/browser.sh

pictures: ## Make the pictures of the pages in docs/pictures anew
	scripts/browser.sh pictures

sdkjs: ## Build the client for web apps, sdk/js, and drive it in Chromium
	scripts/sdkjs.sh

check: FUZZTIME = 3s
check: fmt vet staticcheck race fuzz vuln ## Before you push: format, vet, staticcheck, architecture, -race, fuzz, known vulnerabilities
	$(GO) test -count=1 ./internal/archtest/...

fmt:
	@bad=$$(git ls-files '*.go' | xargs -r gofmt -l); if [ -n "$$bad" ]; then echo "not formatted (run gofmt -w):"; echo "$$bad"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

vuln:
	@GOBIN=$(CURDIR)/bin $(GO) install $(GOVULNCHECK) && code=0 && { bin/govulncheck ./... || code=$$?; } && \
	case $$code in 0) ;; 3) exit 1 ;; *) echo "govulncheck could not run (it needs its database, vuln.go.dev): left out" ;; esac

fuzz: ## Run every fuzz target for FUZZTIME each (30s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

bench: build ## Measure the built broker beside a bare proxy, about 3 minutes (BENCH=-long: as docs/performance.md, 15; -h: all)
	$(GO) build -o bin/bench ./bench
	bin/bench $(BENCH)

gobench: ## Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## Remove what was built
	rm -rf bin e2e/sdk/js/node_modules e2e/oauth/node_modules e2e/browser/node_modules e2e/browser/shots sdk/js/node_modules sdk/js/dist
