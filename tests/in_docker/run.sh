#!/usr/bin/env bash
# `make e2e`: the bundle in Docker, with the one that answers or one that is started and ended here. Arguments go to pytest.
# Where Docker can't run it says so in one line, with what was not proved, and ends with 0; a proof that fails ends with 1.
set -euo pipefail
cd "$(dirname "$0")/../.."

not_proved() {
    echo "e2e: NOT PROVED, because $1: that the compose files start, that every target is up and every rule loads, that an alert" \
        "arrives, that parts come back with their data, that only Grafana is reachable, and that no container has more rights than it needs."
    exit 0
}

compose/install.sh test
why=$(compose/install.sh docker 2>&1) || not_proved "$(tail -n 1 <<<"$why")"
code=0
why=$(PYTHONPATH=.:tests .venv/bin/python -m servers.docker_engine 2>&1 >/dev/null) || code=$?
if [ "$code" = 3 ]; then not_proved "$(tail -n 1 <<<"$why")"; fi
if [ "$code" != 0 ]; then echo "$why" >&2; exit "$code"; fi
exec .venv/bin/pytest -p no:cacheprovider --timeout=1500 tests/in_docker "$@"
