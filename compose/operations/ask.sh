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
# those whose images have a wget; not the one that is asked, which may be what is ill
for service in prometheus alertmanager grafana; do
    if [ "$service" != "$1" ] && printf '%s\n' "$UP" | grep -qx "$service"; then
        # not compose's exec, which needs all of its settings
        exec docker exec "$(docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT" \
            --filter "label=com.docker.compose.service=$service" | head -n 1)" wget -q -T 10 -O - "$URL"
    fi
done
die "nothing runs that could ask: docker compose -f compose/compose.yaml up -d"
