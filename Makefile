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

.PHONY: help build peers test test-browser lint fuzz bench bench-loadgen bench-server bench-symdb micro clean prove

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

bench-loadgen: build ## print the load generator's own figures: its ceiling beside raw sendmmsg, its punctuality beside ticks
	FLOODGATE_REFSERVER='$(CURDIR)/bin/refserver' go test -run NONE -bench 'AllOut|Pacing' -benchtime 1x ./loadgen

# A gate that breaks is a result here, not an error: the figures are the point.
bench-server: build ## print the reference server's own figures: cost per message, flush stalls, memory
	-bin/floodgate run packed_3m burst_300k packed_3m_contexts --replicates 3 --out out/server/async
	-for flush in async-copy sync; do \
		bin/floodgate run packed_3m_contexts --replicates 3 --candidate refserver:reader=decoupled,flush=$$flush --out out/server/$$flush; \
	done

bench-symdb: build ## compare the memory of a buffered and a streaming symbol upload
	bin/floodgate bench symdb_upload --baseline refserver:symdb=buffered --candidate refserver:symdb=streaming --out out/symdb

prove: build ## count false alarms and detections of the detector on this machine; takes up to half an hour
	bin/floodgate prove

micro: ## run the micro benchmarks of the hot paths
	go test -run NONE -bench . -benchmem ./internal/dogstatsd ./server/... ./loadgen

# Other servers to measure beside the reference server, each at a version pinned
# in a module of its own, or by its number here. What cannot be had is said.
PEERS := scenarios/targets/peers
# A peer takes a while; it must not disturb a measurement that is under way.
PEER_BUILD := nice -n 19 go build -trimpath -ldflags='-s -w'
TELEGRAF_TAGS := custom,inputs.statsd,outputs.file,outputs.http,serializers.influx,parsers.influx
STATSD_VERSION := 0.9.0

peers: ## build other servers into bin/peers, as far as this machine can
	cd $(PEERS)/statsd_exporter && $(PEER_BUILD) -o '$(CURDIR)/bin/peers/statsd_exporter' github.com/prometheus/statsd_exporter
	cd $(PEERS)/telegraf && $(PEER_BUILD) -tags '$(TELEGRAF_TAGS)' -o '$(CURDIR)/bin/peers/telegraf' github.com/influxdata/telegraf/cmd/telegraf
	cd $(PEERS)/otelcol && $(PEER_BUILD) -o '$(CURDIR)/bin/peers/otelcol' .
	@if command -v npm >/dev/null; then \
		npm install --no-audit --no-fund --omit=optional --prefix bin/peers/statsd statsd@$(STATSD_VERSION); \
	else echo 'statsd was left out: there is no npm'; fi
	@for peer in collectd netdata; do \
		if command -v $$peer >/dev/null || [ -x /usr/sbin/$$peer ]; then continue; fi; \
		if [ '$(DEBIAN_PEERS)' = 1 ]; then nice -n 19 apt-get install -qy --no-install-recommends $$peer-core; \
		else echo "$$peer was left out: install Debian's $$peer-core, or run make peers DEBIAN_PEERS=1 as root; either way Debian starts its service, so stop that"; fi; \
	done

clean: ## remove what was built and measured
	rm -rf bin out
