# The commands of this project. `make` alone lists them.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1
RECIPE ?= augmented
PYTHON ?=
export PYTHON

RUN := .venv/.run
DEV := .venv/.dev
CODE := app benchmarks training tests

.PHONY: help serve test train bench fuzz soak check image lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(RUN) ## serve the newest model on http://127.0.0.1:8000 (HOST=, PORT=, WORKERS=, ENGINE=litert)
	@exec .venv/bin/python -m app --host $(HOST) --port $(PORT) --workers $(WORKERS) $(if $(ENGINE),--engine $(ENGINE))

test: tools ## run all tests, three at a time (ARGS= for pytest's options, one at a time: ARGS=--cov shows what no test runs)
ifdef ARGS
	@.venv/bin/python -m pytest $(ARGS)
else
	@.venv/bin/python -m pytest -m "not alone" --numprocesses 3 --dist loadfile --no-loadscope-reorder
	@.venv/bin/python -m pytest -m alone
endif

.PHONY: tools
tools: $(DEV)
	@tests/install_browser.sh
	@tests/install_haproxy.sh
	@tests/fetch_fashion.sh

train: $(RUN) ## train and publish the next version, in ten minutes (RECIPE=augmented, or book: in one; DATA=path, LABELS=file, MODELS=folder, SEED=0, EPOCHS=)
	@exec .venv/bin/python -m training fit --recipe "$(RECIPE)" $(if $(DATA),--data "$(DATA)") $(if $(LABELS),--labels "$(LABELS)") \
	  $(if $(MODELS),--models "$(MODELS)") $(if $(SEED),--seed "$(SEED)") $(if $(EPOCHS),--epochs "$(EPOCHS)") $(ARGS)

bench: $(RUN) ## measure the service and write benchmarks/RESULTS.md (PEERS="litserve bentoml pytriton", ARGS=)
	@.venv/bin/python -m benchmarks $(if $(PEERS),--peers $(PEERS)) $(ARGS)

fuzz: $(DEV) ## a million hostile inputs; writes benchmarks/FUZZ.md (INPUTS=1000000, SEED=0, ARGS=)
	@.venv/bin/python -m benchmarks.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: $(RUN) ## ten minutes of everything at once; writes benchmarks/SOAK.md (SECONDS=600, SEED=0, ARGS=)
	@.venv/bin/python -m benchmarks.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: $(DEV) ## format, lint, types: says what is wrong, changes nothing
	.venv/bin/ruff format --check --quiet $(CODE)
	.venv/bin/ruff check $(CODE)
	.venv/bin/mypy
	.venv/bin/hadolint Dockerfile

image: ## build the container's image
	docker build -t digits .

lock: lock-run lock-small lock-uv lock-cluster lock-dev ## choose the versions of all packages anew and write the lock files

LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
  --constraints requirements/limits.txt pyproject.toml
.PHONY: lock-run lock-small lock-uv lock-cluster lock-dev
lock-run: $(DEV)
	$(LOCK) -o requirements/run.txt
lock-small: lock-run
	$(LOCK) --excludes requirements/small.excludes --constraints requirements/run.txt -o requirements/small.txt
lock-uv: $(DEV)
	$(LOCK:pyproject.toml=) --group uv -o requirements/uv.txt
lock-cluster: lock-run
	$(LOCK) --extra cluster --constraints requirements/run.txt -o requirements/cluster.txt
lock-dev: lock-run lock-uv lock-cluster
	$(LOCK) --group dev --group uv --extra cluster --constraints requirements/run.txt --constraints requirements/uv.txt \
	  --constraints requirements/cluster.txt -o requirements/dev.txt

clean: ## remove what was installed and cached
	rm -rf .venv .venv-small .mypy_cache .ruff_cache .pytest_cache .coverage* benchmarks/.envs

$(RUN): requirements/run.txt requirements/uv.txt requirements/install.sh
	@requirements/install.sh requirements/run.txt
	@ln -sf ../../digits .venv/bin/digits
	@touch $@

$(DEV): requirements/dev.txt requirements/uv.txt requirements/install.sh
	@requirements/install.sh requirements/dev.txt
	@ln -sf ../../digits .venv/bin/digits
	@touch $(RUN) $@
