# `make` alone lists what there is. compose/install.sh installs what a target needs, and only what is missing.

VENV := .venv/bin
MYPY := $(VENV)/mypy
TYPED := $(wildcard exporters/supercheck_exporter tests compose/demo compose/backup/supercheck_backup dashboards/src)
# most of the time a test waits for a real program, so four share two processors well
TEST_PROCESSES ?= 4
COMPOSE := docker compose -f compose/compose.yaml

.DEFAULT_GOAL := help
.PHONY: help demo test lint types generated golden dashboards manual pictures rules bench e2e tools lock attach preflight up down backup restore uninstall clean

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## a small site, watched; its workers crash, the page arrives and resolves (ARGS=--help)
	@compose/install.sh demo
	@exec $(VENV)/python -m compose.demo $(ARGS)

test: ## install what is missing and run every check
	@compose/install.sh test
	@failed=; make --no-print-directory --keep-going lint types generated || failed=1; \
		$(VENV)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS) || failed=1; test -z "$$failed"

lint: ## style of the Python files
	$(VENV)/ruff check
	$(VENV)/ruff format --check

types: ## types of the Python files
	$(MYPY) $(TYPED)

generated: ## fail when a generated file is not what its source makes
	$(VENV)/python -m supercheck_exporter.rules --check
	$(VENV)/python -m dashboards.src --check

golden: ## rewrite the collectors' golden files
	UPDATE_GOLDEN=1 $(VENV)/pytest -q tests/golden

dashboards: ## rewrite dashboards/*.json from dashboards/src
	$(VENV)/python -m dashboards.src --write

manual: ## rewrite the tables of exporters/README.md from the program
	PYTHONPATH=tests $(VENV)/python -m contract.manual --write

pictures: ## rewrite the README's pictures from a demo at rest and in trouble (about 7 minutes)
	@compose/install.sh test
	PYTHONPATH=tests $(VENV)/python -m e2e.pictures $(ARGS)

rules: ## rewrite alert-rules/{recording,alerts} from alert-rules/src with the shipped thresholds
	$(VENV)/python -m supercheck_exporter.rules --write

bench: ## speed, as ratios against a floor measured in the same run
	@compose/install.sh test
	PYTHONPATH=tests $(VENV)/python -m bench $(ARGS)

e2e: ## start, break and restart the whole of compose in Docker, with stand-ins for its images (minutes)
	@exec tests/in_docker/run.sh $(ARGS)

tools: ## build newer versions of what Debian has, and what it has not (an S3 server, Jaeger), with Go (optional)
	@compose/install.sh tools

lock: ## rewrite both lock files from pyproject.toml
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		--extra dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		--no-annotate --constraint requirements.lock pyproject.toml -o exporters/requirements.lock

attach: ## find the Supercheck on this host and write compose/.env (ARGS=--dry-run)
	@compose/operations/attach.sh $(ARGS)

preflight: ## can the bundle start here, and what does it reach? every problem with its mend
	@compose/operations/preflight.sh $(ARGS)

up: ## start the bundle with Docker beside a running Supercheck
	$(COMPOSE) up --detach --build

down: ## stop it; the volumes stay
	$(COMPOSE) down

backup: ## the bundle's own state into one file: silences, Grafana, history (not Supercheck's database: compose/backup)
	@compose/operations/backup.sh $(ARGS)

restore: ## put such a file back: make restore ARGS="FILE --yes" (not Supercheck's database: compose/backup/restore.sh)
	@compose/operations/restore.sh $(ARGS)

uninstall: ## take the bundle off this host, by ARGS also its data; says first what it would do
	@compose/operations/uninstall.sh $(ARGS)

clean: ## remove what the targets made, the virtual environment included
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache artifacts compose/demo/site/node_modules \
		dashboards/preview/node_modules dashboards/preview/dist tests/servers/node/node_modules
