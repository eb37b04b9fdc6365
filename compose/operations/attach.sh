#!/usr/bin/env bash
# Finds the Supercheck that runs on this host with Docker, and writes into compose/.env what the bundle needs to watch it: its
# network, and where its own .env is. No secret is copied, nothing of Supercheck is changed, and a setting of yours stays.
#
#   compose/operations/attach.sh                     find, show, write
#   compose/operations/attach.sh --dry-run           find and show
#   compose/operations/attach.sh --project NAME      where there are several
#
# Exit status: 0 found, 1 something is missing (it says what, and how to mend it), 2 it can't look.
set -euo pipefail
. "$(dirname "$0")/common.sh"

DRY='' ASKED=''
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) DRY=1 ;;
        --project) [ $# -gt 1 ] || die "--project needs a name."; ASKED=$2; shift ;;
        -h | --help) usage ;;
        *) die "unknown: $1 (--help says what there is)." ;;
    esac
    shift
done
need_docker

PROBLEMS=0
found() { printf '  %-10s %s\n' "$1" "$2"; }
lacks() { PROBLEMS=$((PROBLEMS + 1)); printf '  %-10s NOT FOUND: %s\n' "$1" "$2"; }

# ---- which project

# id, project, service, image, state of everything that compose started, ours left out
LISTED=$(docker ps --all --filter label=com.docker.compose.project \
    --format '{{.ID}}|{{.Label "com.docker.compose.project"}}|{{.Label "com.docker.compose.service"}}|{{.Image}}|{{.State}}' \
    | awk -F'|' -v ours="$PROJECT" '$2 != ours')
# by the images of its app and worker, pulled or built on the host; else by the name of its project
SITES=$(printf '%s\n' "$LISTED" | awk -F'|' '
    $4 ~ /(^|\/)supercheck-io\/supercheck\/(app|worker)([:@]|$)/ || $4 ~ /^supercheck-(app|worker)([:@]|$)/ {print $2}' | sort -u)
[ -n "$SITES" ] || SITES=$(printf '%s\n' "$LISTED" | awk -F'|' '$2 == "supercheck" {print $2}' | sort -u)
if [ -n "$ASKED" ]; then
    printf '%s\n' "$LISTED" | cut -d'|' -f2 | grep -Fqx -- "$ASKED" || die "no container belongs to a compose project \"$ASKED\". There are: $(
        printf '%s\n' "$LISTED" | cut -d'|' -f2 | sort -u | tr '\n' ' ')"
    SITES=$ASKED
fi
case $(printf '%s' "$SITES" | grep -c .) in
    0)
        echo "No Supercheck was found among the containers of this host (images supercheck-io/supercheck/app and worker, or"
        echo "supercheck-app and supercheck-worker, or a compose project \"supercheck\")."
        echo "If it runs elsewhere, set REDIS_HOST, REDIS_PASSWORD_FILE and EXPORTER_DATABASE_URL_FILE in $ENV_FILE (compose/.env.example),"
        echo "and SUPERCHECK_NETWORK to a network from which they are reached (docker network ls)."
        echo "To look at the bundle without one: docker compose -f compose/compose.yaml --profile demo up -d"
        exit 1
        ;;
    1) SITE=$SITES ;;
    *)
        echo "Several were found. Choose one with --project: $(printf '%s' "$SITES" | tr '\n' ' ')"
        exit 1
        ;;
esac

# ---- its parts

# the line of the first container whose service has one of these names
part() {
    local name
    for name in "$@"; do
        printf '%s\n' "$LISTED" | awk -F'|' -v project="$SITE" -v service="$name" '$2 == project && $3 == service {print; exit}'
    done | head -n 1
}
field() { printf '%s' "$2" | cut -d'|' -f"$1"; }
networks_of() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$1"; }
label_of() { docker inspect --format "{{index .Config.Labels \"com.docker.compose.project.$2\"}}" "$1" | sed 's/^<no value>$//'; }

APP=$(part app) WORKER=$(part worker) REDIS=$(part redis supercheck-redis) POSTGRES=$(part postgres supercheck-db) MINIO=$(part minio)
ANY=${APP:-${WORKER:-${REDIS:-$(printf '%s\n' "$LISTED" | awk -F'|' -v project="$SITE" '$2 == project {print; exit}')}}}
FOLDER=$(label_of "$(field 1 "$ANY")" working_dir)
echo "Supercheck: compose project \"$SITE\"${FOLDER:+ in $FOLDER}"

show() { # NAME LINE WHAT-IT-MEANS-IF-IT-IS-NOT-THERE
    if [ -z "$2" ]; then
        found "$1" "not here: $3"
    elif [ "$(field 5 "$2")" = running ]; then
        found "$1" "$(field 4 "$2"), running"
    else
        found "$1" "$(field 4 "$2"), $(field 5 "$2"): what it holds is read once it runs"
    fi
}

# ---- its .env

SITE_ENV=$(label_of "$(field 1 "$ANY")" environment_file | cut -d, -f1)
[ -n "$SITE_ENV" ] || SITE_ENV=${FOLDER:+$FOLDER/.env}
# a setting of a person goes before what is found
OWN=$(awk '/^# attach: begin/ {skip = 1} !skip {print} /^# attach: end/ {skip = 0}' "$ENV_FILE" 2>/dev/null || true)
own() { printf '%s\n' "$OWN" | value_in /dev/stdin "$1"; }
has_own() { printf '%s\n' "$OWN" | grep -Eq "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*="; }
if [ -n "$(own SUPERCHECK_ENV_FILE)" ]; then SITE_ENV=$(own SUPERCHECK_ENV_FILE); fi

ENTRIES=''
entry() { # NAME VALUE
    local value=$2
    if has_own "$1"; then
        [ "$(own "$1")" = "$2" ] || found yours "$1=$(own "$1") stays (found: ${2:-nothing})"
        return
    fi
    # compose reads a value in single quotes as it stands
    if printf '%s' "$value" | grep -q "[^A-Za-z0-9_./:,@+-]"; then value="'$value'"; fi
    ENTRIES="$ENTRIES$1=$value
"
}
in_site() { [ -n "$SITE_ENV" ] && is_set "$SITE_ENV" "$1"; }

show app "$APP" "its health is not asked; elsewhere: SUPERCHECK_APP_URL"
show worker "$WORKER" "its health is not asked; elsewhere: SUPERCHECK_WORKER_URL"
show redis "$REDIS" "an external one, by REDIS_HOST"
show postgres "$POSTGRES" "an external one, by DATABASE_URL"
show minio "$MINIO" "an external one, by S3_ENDPOINT"

NETWORK=''
for line in "$REDIS" "$APP" "$WORKER"; do
    [ -n "$line" ] && [ -z "$NETWORK" ] || continue
    # of several the one that the app is on as well
    for name in $(networks_of "$(field 1 "$line")"); do
        case " ${APP:+$(networks_of "$(field 1 "$APP")")}" in *" $name "*) NETWORK=${NETWORK:-$name} ;; esac
    done
    [ -n "$NETWORK" ] || NETWORK=$(networks_of "$(field 1 "$line")" | cut -d' ' -f1)
done
if [ -n "$NETWORK" ]; then
    found network "$NETWORK"
    entry SUPERCHECK_NETWORK "$NETWORK"
else
    lacks network "its containers are on none. Start Supercheck, then run this again; or set SUPERCHECK_NETWORK (docker network ls)."
fi

if [ -n "$SITE_ENV" ] && [ -f "$SITE_ENV" ]; then
    if [ ! -r "$SITE_ENV" ]; then
        lacks .env "$SITE_ENV is there and this user may not read it: run this as $(owner_of "$SITE_ENV"), or with sudo."
    elif case $SITE_ENV in *:*) true ;; *) false ;; esac then
        lacks .env "$SITE_ENV has a colon in its path, which Docker can't mount. Link to it: ln -s, and set SUPERCHECK_ENV_FILE."
    else
        entry SUPERCHECK_ENV_FILE "$SITE_ENV"
        if others_may 4 "$SITE_ENV"; then
            found .env "$SITE_ENV, which every user of this host may read: chmod 600 closes it, then run this again"
        else
            found .env "$SITE_ENV, read as its owner $(owner_of "$SITE_ENV")"
            entry SUPERCHECK_ENV_OWNER "$(owner_of "$SITE_ENV")"
        fi
    fi
else
    lacks .env "${SITE_ENV:-it} is not a file. Set SUPERCHECK_ENV_FILE in $ENV_FILE to where it is, and run this again;" \
        "or give each secret as a file (compose/secrets/README.md)."
    SITE_ENV=''
fi

# ---- what follows from that

if [ -n "$REDIS" ] && [ "$(field 3 "$REDIS")" != redis ] && ! in_site REDIS_HOST; then entry REDIS_HOST "$(field 3 "$REDIS")"; fi
on_network() { [ -n "$1" ] && case " $(networks_of "$(field 1 "$1")")" in *" $NETWORK "*) true ;; *) false ;; esac }
on_network "$APP" || entry SUPERCHECK_APP_URL ""
on_network "$WORKER" || entry SUPERCHECK_WORKER_URL ""
ROOT=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || true)
case $ROOT in '' | /var/lib/docker) ;; *) entry DOCKER_CONTAINERS "$ROOT/containers" ;; esac
if [ -n "$MINIO" ] && in_site AWS_SECRET_ACCESS_KEY && ! in_site S3_ENDPOINT; then entry S3_ENDPOINT "http://minio:9000"; fi

if [ -n "$SITE_ENV" ] && [ -r "$SITE_ENV" ]; then
    told() { # WHAT NAME... : whether one of these is set there, or by the person
        local what=$1 mend=$2 name
        shift 2
        for name in "$@"; do
            if in_site "$name" || has_own "$name" || has_own "${name}_FILE"; then return; fi
        done
        found "$what" "not set ($*): $mend"
    }
    told redis "without a password if it needs none; else compose/secrets/exporter/redis_password, REDIS_PASSWORD_FILE" REDIS_PASSWORD
    told database "organizations, monitors and runs are not watched; EXPORTER_DATABASE_URL_FILE (exporters/sql/role.sql makes a role)" \
        EXPORTER_DATABASE_URL DATABASE_URL DB_PASSWORD
    told storage "buckets are not watched; AWS_ACCESS_KEY_ID_FILE and AWS_SECRET_ACCESS_KEY_FILE" AWS_SECRET_ACCESS_KEY
    told capacity "limits of organizations are then those of their plans" RUNNING_CAPACITY QUEUED_CAPACITY
fi
if ! has_own EXPORTER_DATABASE_URL_FILE && ! has_own EXPORTER_DATABASE_URL && { in_site DATABASE_URL || in_site DB_PASSWORD; }; then
    found advice "the exporter reads the database as Supercheck's own user; exporters/sql/role.sql makes one that can only read"
fi

# ---- compose/.env

BLOCK="# attach: begin (made by $HERE/attach.sh; put your own lines above or below, they go first)
$ENTRIES# attach: end"
SCRATCH=$(mktemp)
trap 'rm -f "$SCRATCH"' EXIT
{
    if [ -n "$OWN" ]; then printf '%s\n' "$OWN"; fi
    if [ -n "$ENTRIES" ]; then printf '%s\n' "$BLOCK"; fi
} >"$SCRATCH"
echo
if cmp -s "$SCRATCH" "$ENV_FILE" 2>/dev/null || { [ ! -e "$ENV_FILE" ] && [ ! -s "$SCRATCH" ]; }; then
    echo "$ENV_FILE says so already."
else
    echo "$ENV_FILE${DRY:+ would change}:"
    # only the lines that differ: those around them are yours, and may hold secrets
    diff -U0 "$([ -e "$ENV_FILE" ] && echo "$ENV_FILE" || echo /dev/null)" "$SCRATCH" | sed -n '/^[-+][^-+]/s/^/  /p' || true
    if [ -z "$DRY" ]; then
        if [ ! -e "$ENV_FILE" ]; then (umask 077 && : >"$ENV_FILE"); fi
        cat "$SCRATCH" >"$ENV_FILE" # its owner and permissions stay
    fi
fi
[ "$PROBLEMS" = 0 ] || { echo "$PROBLEMS to mend, see NOT FOUND."; exit 1; }
echo "Next: docker compose -f compose/compose.yaml up -d, then $HERE/preflight.sh (make preflight) says what is reached and what is not set."
