# videomsg: `make demo` makes a video, `make test` passes the tests. Both install
# what they need.

GO ?= go
BIN := bin/videomsg
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT := $(GO) run mvdan.cc/gofumpt@v0.12.0
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

PROGRAMS := ffmpeg=ffmpeg open_jtalk=open-jtalk /var/lib/mecab/dic/open-jtalk/naist-jdic/sys.dic=open-jtalk-mecab-naist-jdic espeak-ng=espeak-ng
TEST_PROGRAMS := chromium=chromium nginx=nginx-light curl=curl /usr/share/fonts/truetype/vlgothic=fonts-vlgothic

# Where the race detector has little to see: sounds and pictures are computed, ten
# times slower under it, and the built program is driven from outside, which it cannot
# look into. `make race` watches everything.
COMPUTED := ./dsp/... ./engines/avatar ./engines/cutout/... ./engines/speech ./vision/face ./vision/portrait/... ./consumers/video/...
DRIVEN := . ./internal/deploytest ./internal/doctest ./internal/webtest ./internal/chaos
PLAIN = $(DRIVEN) $(COMPUTED)
# What is measured by the clock runs when nothing else does.
ALONE := TestLargestContentfulPaintOnASlowProcessor|TestTwoHundredEntriesScrollWithoutJank|TestEventShows
# `make check` has vetted everything already.
TEST := $(GO) test -shuffle=on -vet=off -timeout 20m

.PHONY: help
help: ## Show what there is to make
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup build ## Make out/demo.mp4 from the sample portrait and a Japanese sentence
	@$(BIN) send testdata/portrait/sample.jpg '{明日|あした}で三十歳ですね。お誕生日おめでとうございます。素敵な一年になりますように！' -o out/demo.mp4

.PHONY: serve
serve: setup build ## Run the service on http://127.0.0.1:55433
	@$(BIN) serve

.PHONY: build
build: ## Build the program
	@[ -x $(BIN) ] || echo "building: the first time takes a few minutes"
	@$(GO) build -o $(BIN) .

.PHONY: test
test: setup setup-test build ## Run all tests
	VIDEOMSG_BINARY=$(CURDIR)/$(BIN) $(TEST) -skip '$(ALONE)' $(PLAIN)
	$(TEST) -race $(filter-out $(shell $(GO) list $(PLAIN)),$(shell $(GO) list ./...))
	$(TEST) -race -run 'DID|Lipsync|Clause|OpenJTalk|Catalogue|Breaker|Profile' ./engines/avatar ./engines/speech # what waits for several at once
	VIDEOMSG_BINARY=$(CURDIR)/$(BIN) $(TEST) -run '$(ALONE)' ./internal/webtest

.PHONY: race
race: setup setup-test ## Run all tests under the race detector, half an hour
	$(TEST) -race -timeout 60m ./...

.PHONY: check
check: ## Formatting, vet, staticcheck, tidy modules
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted by gofumpt:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) fix -diff ./...
	$(GO) mod tidy -diff

.PHONY: lint
lint: ## Run golangci-lint with .golangci.yml
	$(GOLANGCI) run ./...

.PHONY: bench
bench: setup ## Measure and print "bench:" lines; BENCH=name chooses (pipeline, dsp, vision, speech, …)
	@set -e; for p in dsp speech vision; do case "$(BENCH)" in ""|$$p) $(GO) run ./bench/$$p | grep '^bench:' ;; esac; done
	@$(GO) test -run '^$$' -bench '(?i)$(or $(BENCH),.)' -benchtime 1x ./... | grep -E '^(bench:|FAIL|panic)' || true

.PHONY: bench-peers
bench-peers: setup ## Install the usual programs and measure them beside ours
	@for script in bench/peers/*.sh; do echo "# $$script"; sh "$$script"; done

FUZZTIME ?= 1m
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (1m)
	@set -e; for f in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$f"); do \
			echo "# $$(dirname $$f) $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "./$$(dirname $$f)"; \
		done; \
	done

.PHONY: test-s3
test-s3: ## Test the S3 backend against a real S3 server, which it builds and starts
	sh objectstore/s3store/test.sh

.PHONY: web
web: ## Build the web app into web/dist
	sh web/build.sh

.PHONY: web-check
web-check: ## Fail when web/dist is not what the source gives
	sh web/build.sh --check

.PHONY: chaos
chaos: ## Kill everything under load and count what was lost (nothing); SHORT=1 takes under a minute
	@mkdir -p bin && $(GO) build -o bin/nats-server github.com/nats-io/nats-server/v2 && $(GO) build -o bin/chaos ./internal/chaos
	@bin/chaos $(if $(SHORT),-tasks 120 -workers 2 -kills 3 -every 2s,-tasks 2000)

FROM ?= $(shell git describe --tags --abbrev=0 2>/dev/null || echo 34fd997)
.PHONY: upgrade
upgrade: setup build ## Run this version and the one of FROM side by side on one stream, and back again
	VIDEOMSG_BINARY=$(CURDIR)/$(BIN) UPGRADE_FROM=$(FROM) $(GO) test -count 1 -timeout 20m -v -run TestTwoVersionsSideBySide .

.PHONY: fmt
fmt: ## Format the code
	@$(GOFUMPT) -w $$(git ls-files '*.go')

.PHONY: setup setup-test
setup: ## Install the programs the service needs
	@sh scripts/setup.sh $(PROGRAMS)

setup-test: ## Install the programs the tests need
	@sh scripts/setup.sh $(TEST_PROGRAMS)

.PHONY: release
release: ## Build binaries, checksums, bill of materials and licences in dist/
	@sh scripts/release.sh $(VERSION)

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what is linked; VULNDB=file:///… for a copy of the database
	@sh scripts/vuln.sh $(VULNDB)

.PHONY: deploy-check
deploy-check: ## Read deploy/ with the parsers of Docker Compose and Prometheus
	@cd deploy/check && $(GO) run . ..

.PHONY: cluster
cluster: setup ## Three brokers, S3, two gateways, two workers a stage: 200 videos while nodes restart
	@server=$${S3_SERVER:-$$(sh scripts/s3server.sh)} && CLUSTER=1 S3_SERVER=$$server $(GO) test -count 1 -timeout 30m -v -run TestCluster ./internal/deploytest

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin out
