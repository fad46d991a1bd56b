# Every target does its own set-up; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Everything is called as `python -m`, because the scripts in BIN name the folder that they were made in
# on their first line: a checkout may be moved.
INSTALLED := $(VENV)/.installed
COMPOSE ?= docker compose

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' shared/__init__.py)

# The revision of the code, for what is built or run; "unknown" without Git.
ifndef LIFEBOAT_REVISION
run up build publish: export LIFEBOAT_REVISION = $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
endif
up build publish: export LIFEBOAT_VERSION = $(VERSION)

export ORT_DISABLE_TELEMETRY = 1

.DEFAULT_GOAL := help
.PHONY: help run up build publish check-config check-run roll down retrain new-model backup restore sign check test test-all coverage screenshots faults fuzz bench bench-reload bench-training bench-fields bench-functions bench-peers bench-bucket lint format hooks lock sbom cloud move-models

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1@\2/' | column -t -s @

run: $(INSTALLED) ## Run the whole product on this machine, without Docker
	@exec $(BIN)/python -m local --with-make

up: ## Run the whole product in containers, and wait until it answers
	$(COMPOSE) up --build --detach --wait

build: ## Build the images; they are tagged with the revision, too
	$(COMPOSE) build

publish: ## Build, push, list and sign the images: REGISTRY=<host/path> [TAG=<tag>]; needs COSIGN_KEY
	@deploy/publish "$(REGISTRY)" "$(or $(TAG),$(VERSION))" $(COMPOSE)

# In the images, because the settings name files in the containers, which their user must be able to read.
check-config: ## Say what is wrong in the containers' settings and definition, before they are made anew
	@$(COMPOSE) config --quiet
	@for check in api:shared worker:worker; do \
	  echo "$${check%:*}:"; \
	  $(COMPOSE) run --rm --no-deps -T $${check%:*} python -m $${check#*:}.check || exit 1; done

check-run: $(INSTALLED) ## Say what is wrong in the settings and the definition of `make run`, and start nothing
	@exec $(BIN)/python -m worker.check

roll: check-config ## Bring new images or changed variables in behind the edge, losing no request
	@deploy/roll $(COMPOSE)

down: ## Stop all containers; models and jobs stay in their volumes
	$(COMPOSE) --profile '*' down

retrain: $(INSTALLED) ## Train in a running Lifeboat and watch it; ARGS="--force" for more
	@exec $(BIN)/python -m cli.retrain --follow $(ARGS)

new-model: $(INSTALLED) ## Write a definition from a table: NAME=<folder> TABLE=<file> TARGET=<column>
	@exec $(BIN)/python -m worker.new_model "$(NAME)" "$(TABLE)" "$(TARGET)"

BACKUP := $(or $(BACKUP),backups/$(shell date -u +%Y%m%d-%H%M%S).tar)
backup: ## Write the model versions and the choice of the served one to a file, BACKUP=<file>
	@mkdir -p "$(dir $(BACKUP))"
	@$(COMPOSE) run --rm --no-deps -T worker python -m worker.backup > "$(BACKUP).unfinished" \
	  || { rm -f "$(BACKUP).unfinished"; exit 1; }
	@mv "$(BACKUP).unfinished" "$(BACKUP)"
	@echo "$(BACKUP)"

# The worker is stopped, because a run that publishes removes what is not a whole version yet. The API
# serves on, and swaps.
restore: ## Restore the file that `make backup` has written, BACKUP=<file>, and its choice
	@test -f "$(BACKUP)" || { echo "lifeboat: there is no file $(BACKUP); name one: make restore BACKUP=<file>" >&2; exit 1; }
	@had_worker=$$($(COMPOSE) ps --quiet worker); $(COMPOSE) stop worker; \
	  $(COMPOSE) run --rm -T worker python -m worker.restore < "$(BACKUP)"; status=$$?; \
	  if [ -n "$$had_worker" ]; then $(COMPOSE) start worker; \
	  elif [ $$status = 0 ]; then $(COMPOSE) up --detach --wait; fi; exit $$status

move-models: $(INSTALLED) ## Carry model versions to another store: FROM=<folder or bucket> TO=<...>
	@exec $(BIN)/python -m worker.backup.move "$(FROM)" "$(TO)"

sign: $(INSTALLED) ## Sign the model versions that are there, with LIFEBOAT_SIGNING_KEY
	@exec $(BIN)/python -m worker.sign

check: lint ## Check style, types and layering, and run the quick unit tests (90 s)
	@exec $(BIN)/python -m pytest --numprocesses auto -m "not slow and not thorough" tests/unit $(ARGS)

PYTEST := $(BIN)/python -m pytest --numprocesses 4 --no-loadscope-reorder
test: $(INSTALLED) ## Run a part of every ring (10 minutes); ARGS="tests/unit -k gate" for some
	@exec $(PYTEST) -m "not thorough" $(ARGS)

test-all: $(INSTALLED) ## Run every test, as CI does (half an hour); ARGS as above
	@exec $(PYTEST) $(ARGS)

coverage: $(INSTALLED) ## Run the unit and integration tests and say what they reach
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest --numprocesses 4 --no-loadscope-reorder tests/unit tests/integration $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

# In an environment of its own: its tools are over 1 GB.
CLOUD := .local/cloud
cloud: $(CLOUD)/.installed ## Run the tests of buckets, functions, images, Swarm, Kubernetes and ECS
	@$(CLOUD)/venv/bin/python -m tests.cloud.tools
	@exec $(CLOUD)/venv/bin/python -m pytest --numprocesses 2 $(or $(ARGS),tests/cloud)

screenshots: $(INSTALLED) ## Take the pictures in docs/screenshots anew (needs Chromium)
	@exec $(BIN)/python -m pytest tests/browser --screenshots $(ARGS)

faults: $(INSTALLED) ## Run the fault tests many times over, with load and figures (an hour)
	@exec $(BIN)/python -m pytest tests/faults --long $(ARGS)

fuzz: $(INSTALLED) ## Look for bodies that the parsers get wrong, for a minute (Linux on x86-64)
	@exec $(BIN)/python -m tests.fuzz -max_total_time=60 $(ARGS)

bench: $(INSTALLED) ## Measure rates, latency, reload, start-up and memory (needs wrk)
	@$(BIN)/python -m benchmarks

bench-reload: $(INSTALLED) ## Measure how soon a new version is served
	@$(BIN)/python -m benchmarks.reload

bench-training: $(INSTALLED) ## Measure what training costs for 1,000 to 1,000,000 rows
	@$(BIN)/python -m benchmarks.training

bench-fields: $(INSTALLED) ## Measure what the number of fields costs
	@$(BIN)/python -m benchmarks.fields

bench-functions: $(CLOUD)/.installed ## Measure cold starts and calls of the cloud functions
	@$(CLOUD)/venv/bin/python -m benchmarks.functions

bench-peers: $(INSTALLED) ## Measure beside MLServer, BentoML, LitServe, MLflow; needs wrk
	@$(BIN)/python -m benchmarks.peers

bench-bucket: $(CLOUD)/.installed ## Measure how soon replicas that follow a bucket serve a version
	@$(CLOUD)/venv/bin/python -m benchmarks.noticed

lint: $(INSTALLED) ## Check style, types and layering
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python $(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Format the code
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

hooks: $(INSTALLED) ## Have Git check what is committed, and how it is described
	@$(BIN)/python -m pre_commit install --hook-type pre-commit --hook-type commit-msg

# dev.txt is locked first and binds the others, so that tests see what the images get. --no-header,
# because uv's header would name the flags of whoever ran it.
LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
lock: $(INSTALLED) ## Lock the newest allowed dependencies into requirements/
	$(LOCK) --group dev --output-file requirements/dev.txt pyproject.toml
	$(LOCK) --group api --constraint requirements/dev.txt --output-file requirements/api.txt pyproject.toml
	$(LOCK) --group worker --constraint requirements/dev.txt --output-file requirements/worker.txt pyproject.toml
	$(LOCK) --group otel --constraint requirements/dev.txt --output-file requirements/otel.txt pyproject.toml
	$(LOCK) --group tests --constraint requirements/dev.txt --output-file requirements/tests.txt pyproject.toml
	$(LOCK) --group cloud --constraint requirements/dev.txt --output-file requirements/cloud.txt pyproject.toml
	for cloud in aws azure google; do $(LOCK) --group function-$$cloud --constraint requirements/cloud.txt \
	  --output-file requirements/function-$$cloud.txt pyproject.toml || exit 1; done
	$(LOCK) --group uv --output-file requirements/uv.txt pyproject.toml

SBOM ?= sbom
# -W, because the tool warns that lock files do not say which package was asked for. The tool does not
# look a dynamic version up, so it is given a pyproject.toml in which the version stands.
sbom: $(INSTALLED) ## Write a bill of materials (CycloneDX) for each image into sbom/
	@mkdir -p $(SBOM)
	@sed 's/^dynamic = \["version"\]$$/version = "$(VERSION)"/' pyproject.toml > $(SBOM)/pyproject.toml
	@for image in api worker; do \
	  $(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject $(SBOM)/pyproject.toml \
	    --output-reproducible --output-file $(SBOM)/$$image.cdx.json requirements/$$image.txt || exit 1; done
	@rm $(SBOM)/pyproject.toml

# An environment whose Python is gone, as after an update of the system's, is made anew.
ifeq ($(shell test -x $(BIN)/python && echo there),)
.PHONY: $(INSTALLED)
endif
$(INSTALLED): requirements/uv.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "lifeboat: '$(PYTHON)' is not a Python of version 3.11 or newer. Name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "lifeboat: '$(PYTHON)' has no venv module. Install it (on Debian and Ubuntu: apt install python3-venv), or name another Python: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV); this takes a minute the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/uv.txt requirements/dev.txt
	@touch $@

$(CLOUD)/.installed: $(INSTALLED) requirements/cloud.txt
	@echo "Setting up $(CLOUD); this takes some minutes the first time."
	@mkdir -p $(CLOUD)
	@test -x $(CLOUD)/venv/bin/python || $(BIN)/python -m venv --without-pip --clear $(CLOUD)/venv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(CLOUD)/venv/bin/python --require-hashes requirements/cloud.txt
	@touch $@
