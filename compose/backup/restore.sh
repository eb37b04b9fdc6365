#!/usr/bin/env bash
# Restores Supercheck's database on this machine: stops Supercheck, restores, and starts it again.
#
#   compose/backup/restore.sh                                  everything that was backed up
#   compose/backup/restore.sh --until 2026-11-24T05:30:00Z     up to that moment
#
# What fails changes nothing: Supercheck is then started as it was. The old data stays in the volume as
# <data directory>.before-<time>. For other names than Supercheck's own: SUPERCHECK_CONTAINERS (the last one is
# PostgreSQL's), POSTGRES_VOLUME, POSTGRES_DATA (the data directory in it), POSTGRES_IMAGE.
set -euo pipefail

read -ra NAMES <<<"${SUPERCHECK_CONTAINERS:-supercheck-app-1 supercheck-worker-1 supercheck-postgres-1}"
VOLUME=${POSTGRES_VOLUME:-supercheck_postgres-data}
DATA=${POSTGRES_DATA:-18/docker}
IMAGE=${POSTGRES_IMAGE:-postgres:18}
HOME_OF_POSTGRES=/var/lib/postgresql

cd "$(dirname "$0")/../.."

STOPPED=()
start_again() {
    local index
    for ((index = ${#STOPPED[@]} - 1; index >= 0; index--)); do # the last one that was stopped is PostgreSQL
        docker start "${STOPPED[index]}" >/dev/null
    done
}
trap start_again EXIT

for name in "${NAMES[@]}"; do
    if [ -n "$(docker ps --quiet --filter "name=^${name}\$")" ]; then
        docker stop "$name" >/dev/null
        STOPPED+=("$name")
    fi
done
# the image makes the folder above its data directory as root; the job is the image's user postgres
docker run --rm --volume "$VOLUME:$HOME_OF_POSTGRES" --entrypoint sh "$IMAGE" \
    -c 'mkdir -p "$0" && chown postgres:postgres "$0"' "$(dirname "$HOME_OF_POSTGRES/$DATA")"
docker compose -f compose/compose.yaml --profile backup run --rm --volume "$VOLUME:$HOME_OF_POSTGRES" \
    backup restore --into "$HOME_OF_POSTGRES/$DATA" "$@"
