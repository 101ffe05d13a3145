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

# Other servers to measure beside the reference server, each at a version pinned
# in a module of its own, or by its number here. What cannot be had is said.
PEERS := scenarios/targets/peers
# A peer takes a while; it must not disturb a measurement that is under way.
PEER_BUILD := nice -n 19 go build -trimpath -ldflags='-s -w'
TELEGRAF_TAGS := custom,inputs.statsd,outputs.file,outputs.http,serializers.influx,parsers.influx
STATSD_VERSION := 0.9.0

.PHONY: help build peers test test-browser test-slurm lint fuzz bench bench-loadgen bench-server bench-peers bench-symdb micro clean prove

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

test-slurm: ## send a burst through a real Slurm; installs Debian's if there is none
	@command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null || \
		{ apt-get update -q && apt-get install -qy --no-install-recommends slurmctld slurmd slurm-client munge; }
	go test -count=1 -run Slurm ./deploy

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

# The servers take turns under the same loads. Of the second command the longest
# stall is the point, of the third the highest rate without loss, of the last
# what a message of a known contextKey costs.
bench-server: build bin/peers/statsd_exporter bin/peers/telegraf ## print the reference server's own figures, other servers beside them
	bin/floodgate peers burst_300k packed_3m --targets refserver,refserver:sockets=4,refserver:reader=coupled,statsd_exporter,telegraf -n 3 --out out/server/peers
	bin/floodgate peers packed_3m_contexts --targets refserver,refserver:flush=async-copy,refserver:flush=sync -n 3 --out out/server/flushes
	bin/floodgate saturate packed_3m --target refserver --target refserver:sockets=4 --from 1M --confirm 1 --precision 10% --out out/server/saturation
	bin/floodgate peers packed_contexts_warm --targets refserver -n 3 --out out/server/warm

bench-peers: build peers ## run one burst against every server that is installed, and print the league
	bin/floodgate peers burst_300k -n 3 --out out/peers

bench-symdb: build ## compare the memory of a buffered and a streaming symbol upload
	bin/floodgate bench symdb_upload --baseline refserver:symdb=buffered --candidate refserver:symdb=streaming --out out/symdb

prove: build ## count false alarms and detections of the detector on this machine; takes some eleven minutes
	bin/floodgate prove

micro: ## run the micro benchmarks of the hot paths
	go test -run NONE -bench . -benchmem ./internal/dogstatsd ./server/... ./loadgen

bin/peers/statsd_exporter: $(PEERS)/statsd_exporter/go.mod
	cd $(PEERS)/statsd_exporter && $(PEER_BUILD) -o '$(CURDIR)/$@' github.com/prometheus/statsd_exporter

bin/peers/telegraf: $(PEERS)/telegraf/go.mod
	cd $(PEERS)/telegraf && $(PEER_BUILD) -tags '$(TELEGRAF_TAGS)' -o '$(CURDIR)/$@' github.com/influxdata/telegraf/cmd/telegraf

bin/peers/otelcol: $(wildcard $(PEERS)/otelcol/*)
	cd $(PEERS)/otelcol && $(PEER_BUILD) -o '$(CURDIR)/$@' .

peers: bin/peers/statsd_exporter bin/peers/telegraf bin/peers/otelcol ## build other servers into bin/peers, as far as this machine can
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
