SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Every module of this repository. Without git, as in an archive, find looks for them.
MODULES := $(sort $(patsubst %/,%,$(dir $(wildcard $(shell \
	git ls-files --cached --others --exclude-standard '*go.mod' 2>/dev/null || find . -name go.mod)))))
export MODULES

# So that nobody's settings change what is built.
export GOFLAGS := -buildvcs=false
export GOWORK := $(CURDIR)/go.work

help: ## this text
	@echo "Times are for two cores. The first run of lint or test downloads and builds what"
	@echo "is missing, and takes about ten minutes more."
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# From the environment CLUSTER would be a surprise: it must be on the command line.
demo: ## the store at work; CLUSTER=local: on a real API server; CLUSTER=current: on your cluster (1 min)
	@source hack/lib.sh; compile -deps ./examples/quickstart ./pkg/mapstoretest/apiserver
	@go run ./examples/quickstart $(if $(filter command,$(origin CLUSTER)),-cluster=$(CLUSTER))

api-server: ## an API server for ConfigMaps, in memory, until Ctrl-C, to try kubectl and programs on (1 s)
	@source hack/lib.sh; compile -deps ./pkg/mapstoretest/apiserver
	@go run ./pkg/mapstoretest/apiserver

control-plane: ## a real API server until Ctrl-C, to try the examples and kubectl on (5 s)
	@source hack/lib.sh; compile -deps ./hack/kube/cmd/control-plane
	@go run ./hack/kube/cmd/control-plane

lint: ## formatting, vet, golangci-lint, dependencies, builds for another platform (1 min)
	@hack/lint.sh

test: ## the promises, in memory and on a real API server, and that the examples run (6 min)
	@hack/test.sh unit cluster

unit: ## the tests of pkg, without a cluster; ARGS='-run Name' goes to go test (2 min)
	@hack/test.sh unit

e2e: ## the promises, on a real API server; ARGS='-run Name' goes to go test (3 min)
	@hack/test.sh e2e

e2e-oldest: ## the same on the oldest Kubernetes version that docs/support.md claims (4 min)
	@MAPSTORE_KUBE=oldest hack/test.sh e2e

test-tools: ## tests of what measures, shows and documents, and of pkg with the oldest client-go (3 min)
	@hack/test.sh oldest-client tools

stress: ## make test ROUNDS=10 times in a row, with a busy loop on each core
	@hack/stress.sh $(or $(ROUNDS),10)

mutants: ## breaks each promise in the code on purpose and sees its test fail; ARGS='-run text' (15 min)
	@go run ./hack/kube/cmd/control-plane -build >/dev/null
	@go -C hack/mutants run . $(ARGS)

delays: ## delays callbacks, answers and watch events on purpose and sees no test of pkg fail (15 min)
	@go -C hack/mutants run . -delays

kills: ## kills writers of a backup 10,000 times, and clients that have one 1,000 times (15 min)
	@go test ./pkg/internal/backup -run=AKilledWriter -count=1 -timeout=1h -kills=10000
	@KUBE_CACHE_MUTATION_DETECTOR=true go test ./hack/e2e -run=AKilledClientLeaves -count=1 -timeout=1h -kills=1000

# What one finds stays in testdata/fuzz of its folder, and is a test from then on.
fuzz: ## every fuzz target of pkg, one after the other, each for FOR=10s (2 min)
	@grep -rHo '^func Fuzz[A-Za-z]*' --include='*_test.go' pkg | sed 's|/[^/]*:func | |' | sort | \
		while read -r folder target; do \
			echo "$$folder $$target"; \
			go test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(or $(FOR),10s) ./$$folder; \
		done

faults: ## breaks everything around the stores, tables to docs/; ROUNDS=1 SEED=42 RUN=regexp FAMILY=1 (15 min)
	@source hack/lib.sh; compile -deps ./hack/e2e/faults
	@go -C hack/e2e run ./faults -rounds $(or $(ROUNDS),1) -seed $(or $(SEED),42) \
		-run '$(RUN)' $(if $(FAMILY),-family,-write ../../docs)

bench: ## measures against targets and peers; docs/performance.md and its charts (11 min)
	@source hack/lib.sh; compile -deps ./hack/bench
	@go -C hack/bench run . -write ../../docs

contention: ## simulates writers that meet, in virtual time; docs/contention.md (4 min)
	@go test ./hack/contention -run TestTable -count=1 -v -args -write $(CURDIR)/docs/contention.md

scale: ## measures what a map costs the cluster; docs/scale.md (3 min)
	@source hack/lib.sh; compile -deps ./hack/bench
	@go -C hack/bench run . -scale -write ../../docs

soak: ## keeps stores under load and outages for FOR=10m, and looks for what grows
	@source hack/lib.sh; compile -deps -test ./hack/e2e
	@KUBE_CACHE_MUTATION_DETECTOR=true go -C hack/e2e test -v -count=1 -timeout=0 -run='^TestNothingGrows$$' . -soak=$(or $(FOR),10m)

api: ## adds what is new in the exported API to api/v2.txt; BREAK=yes: drops what is gone (2 s)
	@go -C hack/api run . $(if $(filter command,$(origin BREAK)),-break,-write)

tidy: ## go mod tidy in every module (5 s)
	@for module in $(MODULES); do GOWORK=off go -C $$module mod tidy; done

clean: ## remove the built control plane from the user's cache, for all clones (1 s)
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/mapstore" "$$HOME/Library/Caches/mapstore"

.PHONY: help demo api-server control-plane lint test unit e2e e2e-oldest test-tools stress mutants delays kills fuzz faults bench contention scale soak api tidy clean
