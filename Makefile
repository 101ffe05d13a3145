# Floodgate. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := build

# What `make bench` runs; all may be given on its command line. What is empty is
# left to floodgate: its suite, its two variants.
SCENARIOS  ?=
REPLICATES ?= 0
OUT        ?= out
BASELINE   ?=
CANDIDATE  ?=
BENCHFLAGS ?=
FUZZTIME   ?= 20s

DESCRIBE := $(shell git describe --always --dirty 2>/dev/null)

# Packages whose goroutines meet: the race detector pays there. The others are
# pure, and it would only make them slow.
RACE := ./server/... ./loadgen ./internal/intake ./internal/target ./internal/procfs ./internal/harness

# The race detector needs a C compiler; everything else does not.
CC_FOUND := $(shell command -v $$(go env CC) 2>/dev/null)

.PHONY: help build test test-browser lint fuzz bench bench-server bench-symdb micro clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

build: ## build bin/floodgate and bin/refserver
	go build -ldflags "-X main.describe=$(DESCRIBE)" -o bin/ ./cmd/...

test: ## run every quick test, also for other systems and with the race detector
	go vet ./...
	GOOS=darwin go vet ./...
	go test ./...
ifneq ($(CC_FOUND),)
	go test -race $(RACE)
else
	@echo "no C compiler: the race detector was left out"
endif

test-browser: ## open a report in a real browser; installs Debian's chromium if there is none
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends chromium; }
	go test -count=1 -run Browser ./reports

lint: ## run the linters that need to be fetched
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0 run

fuzz: ## fuzz every parser and encoder, FUZZTIME each
	@grep -rHoE '^func Fuzz[A-Za-z]+' --include='*_test.go' . | sed 's/:func / /' | while read -r file name; do \
		go test -run NONE -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

bench: build ## compare baseline and candidate and render the report; exits with the decision
	bin/floodgate bench $(SCENARIOS) $(if $(BASELINE),--baseline '$(BASELINE)') $(if $(CANDIDATE),--candidate '$(CANDIDATE)') \
		--replicates $(REPLICATES) --out '$(OUT)' $(BENCHFLAGS)

# A gate that breaks is a result here, not an error: the figures are the point.
bench-server: build ## print the reference server's own figures: cost per message, flush stalls, memory
	-bin/floodgate run packed_3m burst_300k packed_3m_contexts --replicates 3 --out out/server/async
	-for flush in async-copy sync; do \
		bin/floodgate run packed_3m_contexts --replicates 3 --candidate refserver:reader=decoupled,flush=$$flush --out out/server/$$flush; \
	done

bench-symdb: build ## compare the memory of a buffered and a streaming symbol upload
	bin/floodgate bench symdb_upload --baseline refserver:symdb=buffered --candidate refserver:symdb=streaming --out out/symdb

micro: ## run the micro benchmarks of the hot paths
	go test -run NONE -bench . -benchmem ./internal/dogstatsd ./server/... ./loadgen

clean: ## remove what was built and measured
	rm -rf bin out
