# Every target says what it does after "##"; `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOOL    := go tool -modfile=tools/go.mod
LINT    := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DATE    := $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo unknown)

VULN    := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
# Where govulncheck reads what is known. Where the network does not have it, name a folder with a copy of that site.
VULNDB  ?= https://vuln.go.dev
# The binary that build writes.
OUT     ?= bin/server

# What generate writes.
GENERATED := '*.gen.go' 'internal/*/internal/' 'client/typescript/src/*.gen.ts' 'client/typescript/dist/' $(RULES)
RULES     := deploy/kubernetes/monitoring/rules.yaml
# Packages that promise something about concurrency.
RACE := payment|store|http|callbacks|worker|notify|gateway|sandbox|card|idempotency|secrets
# What `check` runs, in this order.
CHECKS := test scenarios format vet tidy generated contract compatible clients brands accessibility rules kubernetes workflows race fuzz simulation simulation-bugs faults drill lint release

RACETIME ?= 8m
# A number of inputs, not a time: go's fuzzer can report its own deadline as a failure.
FUZZTIME ?= 20000x
BENCHTIME ?= 1s
# Flags of the benchmark.
BENCH ?=
FAULTTIME ?= 2m
ATTACKTIME ?= 10s
# How many orders simulation has, and from which seed on simulation and faults go: a fresh one unless it is named.
ORDERS ?= 1000000
SEED ?= $(shell date +%s)

# $(call need,COMMAND,WHERE FROM) ends a target before it does half of its work.
need = @command -v $(1) >/dev/null || { echo 'make $@ needs $(1): $(2)' >&2; exit 1; }
need_npm = $(call need,npm,install Node.js 20 or later (Debian: apt-get install nodejs npm))
need_gcc = $(call need,gcc,the race detector is linked by it (Debian: apt-get install gcc libc6-dev))
need_docker = @docker info >/dev/null 2>&1 || { echo 'make $@ needs Docker: install it, start its daemon, and see that "docker info" works for you' >&2; exit 1; }

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## run everything on this machine: Postgres, the provider simulators, a demo shop and the service
	go run ./cmd/server dev

.PHONY: build
build: ## build bin/server for production: without the simulators, the demo shop and a Postgres of its own
	CGO_ENABLED=0 go build -tags production -trimpath -buildvcs=false -ldflags='-s -w -X payrelay/internal/app.version=$(VERSION) -X payrelay/internal/app.commit=$(COMMIT) -X payrelay/internal/app.date=$(DATE)' -o $(OUT) ./cmd/server

.PHONY: release
release: export VERSION := $(VERSION)
release: export COMMIT := $(COMMIT)
release: export DATE := $(DATE)
release: ## build dist/: servers that are the same wherever they are built, their SBOMs and SHA256SUMS. ARCHS="amd64 arm64"; SIGNING_KEY=FILE signs
	tools/release/run

.PHONY: keep
keep: ## keep what a release promises, to compare later ones with: the contract and the database's schema. VERSION=v1.2.3
	@[[ $(VERSION) =~ ^v[0-9]+\.[0-9]+\.[0-9]+$$ ]] || { echo 'say which release: make keep VERSION=v1.2.3'; exit 1; }
	cp api/openapi.yaml api/released/$(VERSION).yaml
	go test -count=1 -run '^TestReleasedSchemasAreStillMade$$' ./migrations -args -keep $(VERSION)

.PHONY: vulnerabilities
vulnerabilities: ## look for known weaknesses in what production runs. VULNDB=file:///… for a copy of the database
	$(VULN) -db $(VULNDB) -tags production ./cmd/server

.PHONY: check
# One seed, so that CI judges the change. `make simulation` and `make faults` take a fresh one.
check: export ORDERS := 200000
check: export SEED := 7
check: export ARCHS := amd64
check: ## everything that CI checks; goes on after a failure and names what failed
	@failed=; for step in $(CHECKS); do \
	  printf '\n==> %s\n' "$$step"; start=$$SECONDS; \
	  $(MAKE) --no-print-directory -s "$$step" </dev/null || failed="$$failed $$step"; \
	  printf -- '--- %s: %ss\n' "$$step" "$$((SECONDS - start))"; \
	done; \
	if [[ -n $$failed ]]; then printf '\nFAILED:%s\n' "$$failed"; exit 1; fi; printf '\nEvery check passed: $(CHECKS)\n'

.PHONY: test
test: ## run the tests
	go test ./...

.PHONY: test-postgres
test-postgres: ## run the tests that need Postgres on the version whose programs are in the folder POSTGRES_BIN
	@[[ -n "$${POSTGRES_BIN:-}" ]] || { echo 'say which: POSTGRES_BIN=/usr/lib/postgresql/17/bin'; exit 1; }
	go test -count=1 -timeout 40m ./internal/store/... ./internal/worker/... ./migrations/... ./test/e2e

.PHONY: scenarios
scenarios: ## run the scenarios of a shop against the whole service; SCENARIOS="--only 'hold-*'" for some
	go run ./cmd/server scenarios $(SCENARIOS)

.PHONY: test-container
test-container: ## run the tests that need Postgres on one in a container, started by testcontainers-go; needs Docker
	$(need_docker)
	TEST_POSTGRES=container go test -count=1 ./internal/store/... ./internal/worker/... ./migrations/...

.PHONY: test-compose
test-compose: ## start docker-compose.yml, pay, restart each service and pay again after each; PAYRELAY_API_PORT and the like move taken ports
	$(need_docker)
	@docker compose version >/dev/null 2>&1 || { echo 'make $@ needs Compose V2: install the plugin docker-compose-plugin' >&2; exit 1; }
	deploy/compose-test

.PHONY: test-citus
test-citus: ## run the end-to-end tests on a Citus cluster: CITUS_URL of a coordinator, or CITUS_BIN with Postgres and the extension
	deploy/citus/test

.PHONY: test-pgbouncer
test-pgbouncer: ## run the end-to-end tests through a PgBouncer with the committed configuration, with TLS; needs pgbouncer and Postgres. TESTS=PATTERN chooses
	deploy/pgbouncer/test

.PHONY: race
race: ## run the tests of concurrent packages under the race detector
	$(need_gcc)
	CGO_ENABLED=1 go test -race -timeout $(RACETIME) $$(go list ./internal/... | grep -E '/internal/($(RACE))(/|$$)')

.PHONY: vet
vet: ## run go vet
	go vet ./...
	go vet -tags faults ./...
	go vet -tags drill ./test/e2e
	go vet -tags bugs ./test/simulation/...
	go vet -tags npm ./internal/card ./test/e2e
	go vet -tags production ./cmd/server ./internal/app

.PHONY: lint
lint: ## run golangci-lint
	$(LINT) run ./...

.PHONY: fmt
fmt: ## format the code
	git ls-files -z -- '*.go' ':!*.gen.go' ':!internal/*/internal/' | xargs -0 -r $(TOOL) gofumpt -w

.PHONY: format
format: ## fail if fmt would change something
	@changed=$$(git ls-files -z -- '*.go' ':!*.gen.go' ':!internal/*/internal/' | xargs -0 -r $(TOOL) gofumpt -l); \
	if [[ -n $$changed ]]; then printf 'not formatted, run make fmt:\n%s\n' "$$changed"; exit 1; fi

.PHONY: tidy
tidy: ## fail if go.mod or go.sum is not tidy
	go mod tidy -diff

.PHONY: generate
generate: client/typescript/node_modules/.package-lock.json ## make the code that comes from SQL and from the OpenAPI document, and the alert rules for Kubernetes
	$(need_npm)
	$(TOOL) sqlc generate
	$(TOOL) oapi-codegen -config api/oapi-codegen.yaml api/openapi.yaml
	$(TOOL) oapi-codegen -config client/go/oapi-codegen.yaml api/openapi.yaml
	cd client/typescript && npm run --silent generate
	{ printf '%s\n' '# Made of deploy/prometheus/rules by make generate.' 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' \
	  'metadata: {name: payrelay}' 'spec:'; sed -E 's/^(.)/  \1/' deploy/prometheus/rules/payrelay.yml; } > $(RULES)

.PHONY: generated
generated: generate ## fail if generate changes a committed file
	@git diff --exit-code -- $(GENERATED)
	@new=$$(git ls-files --others --exclude-standard -- $(GENERATED)); \
	if [[ -n $$new ]]; then printf 'generated but not committed:\n%s\n' "$$new"; exit 1; fi

.PHONY: contract
contract: test/contract/node_modules/.package-lock.json ## lint api/openapi.yaml, and try the clients that generators make of it
	$(need_npm)
	cd test/contract && go vet . && go test -count=1 -skip '^TestShop' .

.PHONY: clients
clients: client/typescript/node_modules/.package-lock.json examples/shop-express/node_modules/.package-lock.json ## test the clients in Go and TypeScript, and a shop with each
	$(need_npm)
	$(need_gcc)
	cd client/go && go vet . && CGO_ENABLED=1 go test -race .
	cd client/typescript && npm test --silent
	cd examples/shop-go && go vet .
	cd test/contract && go test -count=1 -run '^TestShop' .

%/node_modules/.package-lock.json: %/package-lock.json
	$(need_npm)
	cd $* && npm ci --loglevel=error
	@touch $@

.PHONY: compatible
compatible: ## fail if api/openapi.yaml breaks a program that was written for the newest contract in api/released. See docs/versioning.md
	tools/compatible/run

.PHONY: brands
brands: test/contract/node_modules/.package-lock.json ## compare the table of card ranges with npm's credit-card-type
	go test -count=1 -tags npm -run '^TestDifferencesFromCreditCardType$$' ./internal/card

.PHONY: accessibility
accessibility: test/contract/node_modules/.package-lock.json ## read every page of /docs and of the demo shop with axe, in light and dark colours; needs npm and Chromium
	go test -count=1 -tags npm -run '^TestEveryPageIsAccessible$$' ./test/e2e

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (20000x inputs)
	@{ git ls-files -z -- '*_test.go' | xargs -0 -r grep -HoE '^func Fuzz[A-Za-z0-9_]*' || true; } | while IFS=: read -r file func; do \
	  echo "$${func#func } in $$(dirname "$$file")"; \
	  timeout 10m go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
	done

.PHONY: bench
bench: ## measure the service beside pgbench: rounds of about a minute; BENCH="--rounds 1" and the like. See BENCHMARKS.md
	go run ./cmd/benchmark $(BENCH)

.PHONY: bench-go
bench-go: ## run Go's benchmarks: overload, isolation, lost answers
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

.PHONY: bench-lists
bench-lists: ## measure every list of orders, warm, among 3 million orders; LIST_ORDERS=10000000 for more
	LIST_ORDERS=$(or $(LIST_ORDERS),3000000) go test -run '^$$' -bench BenchmarkLists -benchtime 10x -timeout 2h ./internal/store

.PHONY: bench-bytes
bench-bytes: ## measure what an order occupies, new and after retention; BYTES_ORDERS=100000 for more than 10,000
	BYTES_ORDERS=$(or $(BYTES_ORDERS),10000) go test -run '^$$' -bench BenchmarkBytesPerOrder -benchtime 1x -timeout 1h -v ./internal/store

.PHONY: faults
faults: ## hurt a real service for FAULTTIME (2m) and compare the snapshots; prints its seed. See docs/reliability.md
	go test -tags faults ./internal/faultpoint
	go run ./cmd/faults --for $(FAULTTIME) --seed $(SEED)

.PHONY: drill
drill: ## rotate every kind of secret under 20 orders a second and kill a replica in the middle; prints what was cut off. See docs/keys.md
	go test -tags drill -count=1 -v -timeout 20m -run '^TestEverySecretIsRotatedUnderLoadAndAKill$$' ./test/e2e

.PHONY: rolling
rolling: ## restart two replicas one at a time under ROLLING_REQUESTS (10000) requests; fails if one is refused or cut. ROLLING_DRAIN_DELAY=0s shows what is lost without
	ROLLING_REQUESTS=$(or $(ROLLING_REQUESTS),10000) go test -count=1 -v -timeout 60m -run '^TestARollingRestartLosesNoRequest$$' ./test/e2e

.PHONY: test-failover
test-failover: ## kill a primary under load and promote its synchronous standby; prints how long no order was taken. See docs/failover.md
	go test -tags drill -count=1 -v -timeout 10m -run '^TestASynchronousStandbyTakesOver$$' ./test/e2e

.PHONY: test-upgrade
# The release that is upgraded from: the newest one that is kept. Without its tag, the present build takes its place.
test-upgrade: export UPGRADE_VERSION ?= $(basename $(notdir $(lastword $(sort $(wildcard migrations/released/*.sql)))))
test-upgrade: ## upgrade a database of UPGRADE_VERSION, the newest release, under load and replica by replica. See docs/versioning.md
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	if git rev-parse -q --verify "refs/tags/$$UPGRADE_VERSION" >/dev/null; then \
	  git archive "$$UPGRADE_VERSION" | tar -xC "$$folder"; \
	  go build -C "$$folder" -buildvcs=false -o "$$folder/server" ./cmd/server; \
	  export UPGRADE_FROM="$$folder/server"; \
	else echo "There is no tag $$UPGRADE_VERSION: the present build is the old version, too."; fi; \
	go test -tags drill -count=1 -v -timeout 15m -run '^TestAnUpgrade' ./test/e2e

.PHONY: attack
attack: ## attack the real server without a key for ATTACKTIME (10s) in each way while a shop pays; prints what the shop lost
	go run ./cmd/attack --for $(ATTACKTIME)

.PHONY: simulation
simulation: ## simulate ORDERS (1000000) orders in virtual time, from SEED on (a fresh one); prints the seed. See docs/simulation.md
	@echo "seed $(SEED)"
	SIMULATION_ORDERS=$(ORDERS) SIMULATION_SEED=$(SEED) go test -count=1 -v -timeout 60m -run '^TestNoOrderEndsFalsely$$' ./test/simulation

.PHONY: mutation
mutation: ## change internal/payment in small ways, one at a time, and see that its tests notice; needs gremlins. See docs/simulation.md
	tools/mutation/run $(MUTATION)

.PHONY: simulation-bugs
simulation-bugs: ## show that the simulation finds each planted bug, and after how many orders
	go test -count=1 -v -timeout 30m -tags bugs -run '^TestEachBugIsFound$$' ./test/simulation/bugs

.PHONY: rules
rules: ## check and test Prometheus's configuration and alert rules
	$(call need,promtool,it comes with Prometheus (Debian: apt-get install prometheus))
	promtool check config deploy/prometheus/prometheus.yml
	promtool test rules deploy/prometheus/tests/payrelay.yml

.PHONY: kubernetes
kubernetes: ## build the manifests, decode them strictly, and compare them with the service and with each other
	cd deploy/kubernetes/test && go vet . && go test -count=1 .

.PHONY: workflows
workflows: ## check the workflows of CI
	$(TOOL) actionlint

.PHONY: docker-dev
docker-dev: ## build the image payrelay:dev, which has the simulators and the demo shop
	$(need_docker)
	docker build --target dev --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg DATE=$(DATE) -t payrelay:dev .

.PHONY: docker
docker: ## build the production image payrelay:VERSION
	$(need_docker)
	docker build --target server --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg DATE=$(DATE) -t payrelay:$(VERSION) .

.PHONY: clean
clean: ## remove what was built and the data of dev
	rm -rf bin dist .payrelay
