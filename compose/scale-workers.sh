#!/bin/sh
# Gives Supercheck's compose project as many workers as supercheck_workers_desired asks for. Call it once a minute (cron, a
# systemd timer) in the folder of its docker-compose.yml:
#   LOCATION=local scale-workers.sh
# Prometheus is asked beside this script's bundle on the same host, or where PROMETHEUS says: the front's
# https://HOST:8443/prometheus, with the login in ~/.netrc.
# It starts workers whenever more are wanted. It takes some away only while no job runs: compose ends the newest, whatever
# they do, and a test that runs there is lost. Where the number is unknown it leaves everything as it is.
set -eu
PROMETHEUS=${PROMETHEUS:-}
here=$(dirname "$0")
LOCATION=${LOCATION:-local}
SERVICE=${SERVICE:-worker}

# the whole number that a query answers; nothing where there is no answer
ask() {
    if [ -n "$PROMETHEUS" ]; then
        curl -fsS --netrc-optional --max-time 10 --get --data-urlencode "query=$1" "$PROMETHEUS/api/v1/query"
    else
        "$here/operations/ask.sh" query "$1"
    fi |
        sed -n 's/.*"value":\[[^,]*,"\([0-9][0-9]*\)"\].*/\1/p'
}

wanted=$(ask "max(supercheck_workers_desired{location=\"$LOCATION\"})")
if [ -z "$wanted" ]; then
    echo "scale-workers: the number of workers that $LOCATION wants is unknown: nothing is changed" >&2
    exit 0
fi
there=$(docker compose ps --quiet "$SERVICE" | wc -l)
if [ "$wanted" -lt "$there" ]; then
    active=$(ask "sum(max by (queue) (supercheck_queue_jobs{state=\"active\",queue=~\"playwright-global|(k6|monitor)-.+\",queue!~\".+-scheduler\"}))")
    [ "${active:-unknown}" = 0 ] || exit 0
fi
[ "$wanted" -eq "$there" ] || docker compose up --detach --no-recreate --scale "$SERVICE=$wanted" "$SERVICE"
