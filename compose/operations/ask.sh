#!/usr/bin/env bash
# Asks a part of the bundle, none of which but Grafana has a port of this host: from a container on their network.
#
#   compose/operations/ask.sh exporter /metrics
#   compose/operations/ask.sh alertmanager '/api/v2/alerts?active=true'
#   compose/operations/ask.sh query 'up == 0'          an instant query, which Prometheus answers as JSON
#
# Exit status: 0 it answered (what it said is on standard output), 1 it did not, 2 it can't be asked.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ "${1-}" != --help ] && [ "${1-}" != -h ] || usage
[ $# = 2 ] || usage 2
case $1 in
    query) URL=http://prometheus:9090/api/v1/query?query=$(printf '%s' "$2" | od -An -v -tx1 | tr -d '\n' | tr ' ' %) ;;
    exporter) URL=http://exporter:9820$2 ;;
    prometheus) URL=http://prometheus:9090$2 ;;
    alertmanager) URL=http://alertmanager:9093$2 ;;
    grafana) URL=http://grafana:3000$2 ;;
    loki) URL=http://loki:3100$2 ;;
    tempo) URL=http://tempo:3200$2 ;;
    *) die "there is no $1: exporter, prometheus, alertmanager, grafana, loki, tempo, or query." ;;
esac
need_docker
UP=$(running)
in_container() { # SERVICE PROGRAM...; not compose's exec, which needs all of its settings
    exec docker exec "$(docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT" \
        --filter "label=com.docker.compose.service=$1" | head -n 1)" "${@:2}"
}
PYTHON='import sys, urllib.request
try:
    sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")'
# the exporter's has Python and is on every part's network; without it these three ask themselves
if printf '%s\n' "$UP" | grep -qx exporter; then in_container exporter python -c "$PYTHON" "$URL"; fi
SERVICE=$(printf '%s' "$URL" | sed 's|^http://\([a-z]*\):.*|\1|')
case $SERVICE in
    prometheus | alertmanager | grafana)
        if printf '%s\n' "$UP" | grep -qx "$SERVICE"; then
            in_container "$SERVICE" wget -q -T 10 -O - "http://127.0.0.1:${URL#http://"$SERVICE":}"
        fi
        ;;
esac
die "nothing runs that could ask: docker compose -f compose/compose.yaml up -d"
