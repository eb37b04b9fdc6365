#!/usr/bin/env bash
# Takes the bundle off this host. What belongs to it is found by the label of its compose project; nothing else is touched,
# Supercheck least of all.
#
#   compose/operations/uninstall.sh               says what would be removed, and what of Supercheck still leans on it
#   compose/operations/uninstall.sh --yes         containers and networks; the data stays, and `up` finds it again
#   compose/operations/uninstall.sh --yes --data  the volumes as well: history, silences, Grafana's database, secrets made
#   compose/operations/uninstall.sh --yes --images    the images that were built here
#   compose/operations/uninstall.sh --yes --files     compose/.env and what is in compose/secrets
#
# Exit status: 0 done (or said), 1 something is left or in the way, 2 it can't look.
set -euo pipefail
. "$(dirname "$0")/common.sh"

YES='' DATA='' IMAGES='' FILES=''
while [ $# -gt 0 ]; do
    case $1 in
        --yes) YES=1 ;;
        --data) DATA=1 ;;
        --images) IMAGES=1 ;;
        --files) FILES=1 ;;
        -h | --help) usage ;;
        *) die "unknown: $1 (--help says what there is)." ;;
    esac
    shift
done
need_docker

LABEL="label=com.docker.compose.project=$PROJECT"
CONTAINERS=$(ours '{{.Names}}' --all)
NETWORKS=$(docker network ls --filter "$LABEL" --format '{{.Name}}')
VOLUMES=$([ -z "$DATA" ] || docker volume ls --filter "$LABEL" --format '{{.Name}}')
# by their names in our own files: only newer builders label what they build
BUILT=$([ -z "$IMAGES" ] || "${COMPOSE[@]}" --profile '*' config --images | grep '^supercheck-' | sort -u | while read -r image; do
    if docker image inspect "$image" >/dev/null 2>&1; then echo "$image"; fi
done)
OWN=$([ -z "$FILES" ] || find compose/.env compose/secrets -type f ! -name '*.example' ! -name README.md ! -name .gitignore 2>/dev/null || true)

list() { if [ -n "$2" ]; then echo "$1:"; printf '%s\n' "$2" | sed 's/^/  /'; fi; }
list containers "$CONTAINERS"
list networks "$NETWORKS"
list volumes "$VOLUMES"
list images "$BUILT"
list files "$OWN"

# ---- what leans on it

WARNED=''
warn() { WARNED=1; printf 'first: %s\n' "$*"; }
for service in $(running); do
    case $service in
        pgbouncer) warn "Supercheck may reach its database through this PgBouncer: start it without compose/pgbouncer/supercheck.override.yaml." ;;
        edge) warn "people may reach Supercheck through this edge: lead them to its app again." ;;
        redis-node-*) warn "Supercheck may use this Redis Cluster: its queues end with it." ;;
    esac
done
# containers of others on our networks would be cut off, and keep them from being removed
for network in $NETWORKS; do
    GUESTS=$(docker ps --filter "network=$network" --format '{{.Names}} {{.Label "com.docker.compose.project"}}' | awk -v ours="$PROJECT" '$2 != ours {print $1}' | tr '\n' ' ')
    if [ -n "$GUESTS" ]; then warn "${GUESTS% } is on the network $network: take it off (docker network disconnect $network NAME)."; fi
done
if printf '%s\n' "$CONTAINERS" | grep -q -- '-backup-'; then
    echo "note: the backup job keeps a replication slot on Supercheck's PostgreSQL, which holds its log back: SELECT pg_drop_replication_slot('supercheck_backup')."
fi
echo "note: roles that were made in Supercheck's database stay (exporters/sql/role.sql): DROP OWNED BY ...; DROP ROLE ..."

if [ -z "$YES" ]; then
    echo "Nothing was removed: --yes does it."
    exit 0
fi
[ -z "$WARNED" ] || { echo "uninstall: nothing was removed; do what stands behind \"first\", or stop those parts." >&2; exit 1; }

# shellcheck disable=SC2046,SC2086  # lists of words
{
    if [ -n "$CONTAINERS" ]; then docker rm --force $CONTAINERS >/dev/null; fi
    if [ -n "$NETWORKS" ]; then docker network rm $NETWORKS >/dev/null; fi
    if [ -n "$VOLUMES" ]; then docker volume rm $VOLUMES >/dev/null; fi
    for image in $BUILT; do
        docker image rm "$image" >/dev/null 2>&1 || echo "$image stays: a container of another project uses it."
    done
}
if [ -n "$OWN" ]; then printf '%s\n' "$OWN" | while IFS= read -r file; do rm -f -- "$file"; done; fi

LEFT=$(ours '{{.Names}}' --all)
if [ -n "$LEFT" ]; then
    echo "uninstall: still there: $(printf '%s' "$LEFT" | tr '\n' ' ')" >&2
    exit 1
fi
echo "Removed.$([ -n "$DATA" ] || echo " The volumes are still there (--data removes them).")"
