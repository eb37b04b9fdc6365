#!/usr/bin/env bash
# Can the bundle start on this host, and does it reach what it watches? Looks at everything, changes nothing that is there, and
# says every problem at once, each with its mend.
#
#   compose/operations/preflight.sh                  everything
#   compose/operations/preflight.sh --no-sources     without asking Redis, PostgreSQL, the object store
#
# Exit status: 0 all is well (notes are what could be better), 1 something must be mended, 2 it can't look.
set -euo pipefail
. "$(dirname "$0")/common.sh"

SOURCES=1
case ${1:-} in
    '') ;;
    --no-sources) SOURCES='' ;;
    -h | --help) usage ;;
    *) die "unknown: $1 (--help says what there is)." ;;
esac

ERRORS=0
ok() { printf 'ok     %s\n' "$*"; }
note() { printf 'note   %s\n' "$*"; }
error() { ERRORS=$((ERRORS + 1)); printf 'ERROR  %s\n' "$*"; }

# whether a version is at least another one; what follows the numbers (-ce, +ds1) does not count
at_least() {
    awk -v found="${1#v}" -v least="$2" 'BEGIN {
        split(found, a, /[^0-9]+/); split(least, b, ".")
        for (i = 1; i <= 3; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 > b[i] + 0)
    }'
}
gib() { awk -v bytes="$1" 'BEGIN {printf "%.1f GiB", bytes / 1073741824}'; }

# ---- Docker

need_docker
VERSION=$(docker version --format '{{.Server.Version}}')
PLUGIN=$(docker compose version --short 2>/dev/null || true)
if at_least "$VERSION" 20.10.0; then ok "Docker $VERSION"; else error "Docker $VERSION is too old: 20.10 or newer is needed."; fi
if [ -z "$PLUGIN" ]; then
    error "docker compose does not answer: install the plugin docker-compose-plugin (the old docker-compose 1 reads these files wrongly)."
elif ! printf '%s' "$PLUGIN" | grep -Eq '^v?[0-9]'; then
    ok "docker compose $PLUGIN, which does not tell its number: whether it takes the files says the next line"
elif at_least "$PLUGIN" 2.24.0; then
    ok "docker compose $PLUGIN"
else
    error "docker compose $PLUGIN is too old: 2.24 or newer is needed (env_file with required: false). Install a newer docker-compose-plugin."
fi

# ---- what compose makes of the files and settings

PLAN=$(mktemp) SAID=$(mktemp)
trap 'rm -f "$PLAN" "$SAID"' EXIT
if [ -z "$PLUGIN" ] || ! "${COMPOSE[@]}" config >"$PLAN" 2>"$SAID"; then
    [ -z "$PLUGIN" ] || error "compose does not take the settings of $ENV_FILE: $(head -n 3 "$SAID" | tr '\n' ' ')"
    : >"$PLAN"
else
    ok "compose takes the files and $ENV_FILE"
fi

# ---- memory and disk

read -r TOTAL ROOT DRIVER <<<"$(docker info --format '{{.MemTotal}} {{.DockerRootDir}} {{.LoggingDriver}}' 2>/dev/null || true)"
LIMITS=$(awk '/^ +mem_limit:/ {gsub(/"/, "", $2); sum += $2} END {printf "%.0f", sum}' "$PLAN")
if [ "${TOTAL:-0}" -gt 0 ] && [ "$LIMITS" -gt 0 ]; then
    if [ "$TOTAL" -lt "$LIMITS" ]; then
        error "Docker has $(gib "$TOTAL") of memory and the services may use $(gib "$LIMITS"): give it more, or lower PROMETHEUS_MEMORY."
    else
        ok "memory: $(gib "$TOTAL"), of which the services may use $(gib "$LIMITS")"
    fi
fi
AVAILABLE=$(awk '/^MemAvailable:/ {print $2 * 1024}' /proc/meminfo 2>/dev/null || true)
if [ -n "$AVAILABLE" ] && [ "$(printf '%.0f' "$AVAILABLE")" -lt 536870912 ]; then
    note "only $(gib "$AVAILABLE") of memory are free now: what starts may be killed."
fi
FREE=$(df -Pk "${ROOT:-/nowhere}" 2>/dev/null | awk 'NR == 2 {printf "%.0f", $4 * 1024}' || true)
if [ -z "$FREE" ]; then
    note "the disk of Docker (${ROOT:-unknown}) is not on this host: 20 GiB should be free there."
elif [ "$FREE" -lt 5368709120 ]; then
    error "$(gib "$FREE") are free where Docker keeps its data ($ROOT): 5 GiB are the least. Free some (docker system df), or lower PROMETHEUS_RETENTION_SIZE."
elif [ "$FREE" -lt 21474836480 ]; then
    note "$(gib "$FREE") are free where Docker keeps its data ($ROOT); with the shipped retention it may need 20: PROMETHEUS_RETENTION_SIZE."
else
    ok "disk: $(gib "$FREE") free in $ROOT"
fi

# ---- the files of the containers' logs

if grep -q '^  log-collector:' "$PLAN" && [ -n "$ROOT" ]; then
    FOLDER=$(setting DOCKER_CONTAINERS /var/lib/docker/containers)
    if [ "$FOLDER" != "$ROOT/containers" ]; then
        error "log lines are looked for in $FOLDER, and Docker writes them to $ROOT/containers: set DOCKER_CONTAINERS=$ROOT/containers."
    elif [ "$DRIVER" != json-file ]; then
        note "Docker's log driver is $DRIVER: of containers that do not set json-file themselves, as this bundle's do, no log line is kept in Loki."
    else
        ok "log lines are followed in $FOLDER"
    fi
fi

# ---- ports and networks

# host address and port of each published port, as compose resolved them
RUNNING=$(docker ps --filter "label=com.docker.compose.project=$PROJECT" --format '{{.Label "com.docker.compose.service"}}|{{.Status}}|{{.Ports}}')
while read -r address port; do
    [ -n "$port" ] || continue
    if printf '%s\n' "$RUNNING" | grep -q ":$port->"; then
        ok "port $port is the bundle's own, which runs"
    elif (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
        error "port $port is taken by another program: end it (ss -ltnp), or set another one in $ENV_FILE (GRAFANA_PORT, FRONT_PORT, EDGE_PORT)."
    else
        ok "port $port is free"
    fi
done <<<"$(awk '/^ +host_ip:/ {ip = $2} /^ +published:/ {gsub(/"/, "", $2); print (ip == "" || ip == "0.0.0.0" ? "127.0.0.1" : ip), $2; ip = ""}' "$PLAN")"

while read -r network; do
    [ -n "$network" ] || continue
    if docker network inspect "$network" >/dev/null 2>&1; then
        ok "network $network is there"
    else
        error "there is no network $network: start Supercheck, or run $HERE/attach.sh, which finds it; by hand: SUPERCHECK_NETWORK (docker network ls)."
    fi
done <<<"$(awk '/^[a-z]/ {inside = /^networks:/; next} !inside {next} /^  [^ ]/ {name = ""; external = ""}
    /^    name:/ {name = $2} /^    external: true/ {external = 1} name != "" && external {print name; name = ""}' "$PLAN")"

# ---- secrets

if [ -e "$ENV_FILE" ]; then
    SHOWN=$(sed -n 's/^[[:space:]]*\(export[[:space:]]*\)\{0,1\}\([A-Z0-9_]*\)[[:space:]]*=[[:space:]]*[^[:space:]].*/\2/p' "$ENV_FILE" \
        | grep -E 'PASSWORD|SECRET|TOKEN|_KEY$|ACCESS_KEY_ID|WEBHOOK_URL|ROUTING_KEY|DATABASE_URL|PGBOUNCER_URL|_REDIS_URL' | grep -v '_FILE$' | tr '\n' ' ' || true)
    for name in $SHOWN; do
        error "$name stands in $ENV_FILE, so docker inspect shows it: write it into a file below compose/secrets and set ${name}_FILE (compose/secrets/README.md)."
    done
fi
# each NAME_FILE=/run/secrets/FILE, and the folder that its reader sees there
while IFS='=' read -r name path; do
    [ -n "$path" ] || continue
    case $name in
        ALERT_*) folder=alertmanager ;;
        BACKUP_*) folder=backup ;;
        *) folder=exporter ;;
    esac
    file=compose/secrets/$folder/${path#/run/secrets/}
    case $path in /run/secrets/*) ;; *) error "$name is $path: the container sees secrets below /run/secrets only. Put the file into compose/secrets/$folder." && continue ;; esac
    if [ ! -f "$file" ]; then
        error "$name names $file, which is not there: put the secret in, or unset $name."
    elif [ ! -s "$file" ]; then
        error "$file is empty: put the secret in, or unset $name."
    elif [ -f "$file.example" ] && cmp -s "$file" "$file.example"; then
        error "$file is still the example: put the secret in."
    elif ! others_may 4 "$file" || ! others_may 1 "compose/secrets/$folder"; then
        error "$file can't be read by its container, which runs as a user of its own: chmod 644 $file && chmod 755 compose/secrets/$folder."
    else
        ok "$file"
    fi
done <<<"$(sed -n 's/^[[:space:]]*\([A-Z0-9_]*_FILE\)[[:space:]]*=[[:space:]]*["'\'']\{0,1\}\([^"'\'' #]*\).*/\1=\2/p' "$ENV_FILE" 2>/dev/null | grep -v '^SUPERCHECK_ENV_FILE=' || true)"
if others_may 5 compose/secrets && [ -n "$(find compose/secrets -mindepth 2 -type f ! -name '*.example' 2>/dev/null | head -n 1)" ]; then
    note "every user of this host may read compose/secrets: chmod 700 compose/secrets closes it, and concerns no container."
fi
SITE_ENV=$(setting SUPERCHECK_ENV_FILE)
OWNER=$(setting SUPERCHECK_ENV_OWNER 65532:65532)
if [ -n "$SITE_ENV" ]; then
    if [ ! -f "$SITE_ENV" ]; then
        error "SUPERCHECK_ENV_FILE is $SITE_ENV, which is no file: $HERE/attach.sh finds it."
    elif ! others_may 4 "$SITE_ENV" && [ "$(owner_of "$SITE_ENV" | cut -d: -f1)" != "${OWNER%%:*}" ]; then
        error "$SITE_ENV belongs to $(owner_of "$SITE_ENV") and is read as $OWNER: set SUPERCHECK_ENV_OWNER=$(owner_of "$SITE_ENV")."
    else
        ok "Supercheck's .env: $SITE_ENV"
    fi
fi

# ---- what runs, and what it reaches

while IFS='|' read -r service status _; do
    case $status in *unhealthy* | *Restarting*) error "$service runs and is not well ($status): docker compose -f compose/compose.yaml logs $service" ;; esac
done <<<"$RUNNING"
if [ -n "$SOURCES" ] && [ -n "$PLUGIN" ]; then
    RAN=1
    if printf '%s\n' "$RUNNING" | grep -q '^exporter|Up'; then
        "${COMPOSE[@]}" exec -T exporter supercheck-exporter check >"$SAID" 2>&1 </dev/null || true
    elif [ -n "$("${COMPOSE[@]}" images --quiet exporter 2>/dev/null)" ] || docker image inspect "$(awk '/^  exporter:/ {found = 1} found && /^    image:/ {print $2; exit}' "$PLAN")" >/dev/null 2>&1; then
        "${COMPOSE[@]}" run --rm -T exporter check >"$SAID" 2>&1 </dev/null || true
    else
        RAN=''
        note "the exporter's image is not built yet, so nothing was asked: run this again after docker compose -f compose/compose.yaml up -d."
    fi
    if [ -n "$RAN" ]; then
        # the exporter's own words, which name the setting and the mend
        while IFS= read -r line; do
            case $line in
                'error: '*) error "${line#error: }" ;;
                'note: '*) note "${line#note: }" ;;
                ok) ok "every source that is set answers" ;;
            esac
        done <"$SAID"
        if ! grep -Eq '^(error: |ok$)' "$SAID"; then error "the exporter's check did not run: $(tail -n 2 "$SAID" | tr '\n' ' ')"; fi
    fi
fi

# ---- what is not set

unset_note() { # TEXT NAME...
    local text=$1 name
    shift
    for name in "$@"; do
        if [ -n "$(setting "$name")" ] || [ -n "$(setting "${name}_FILE")" ] || { [ -n "$SITE_ENV" ] && is_set "$SITE_ENV" "$name"; }; then return; fi
    done
    note "$text"
}
if ! grep -Eq '^[[:space:]]*ALERT_(PAGERDUTY|SLACK|EMAIL|TELEGRAM|DISCORD|WEBHOOK)_[A-Z_]+=.' "$ENV_FILE" 2>/dev/null; then
    note "nobody is paged: set a channel, such as ALERT_SLACK_WEBHOOK_URL_FILE (exporters/README.md, alert channels)."
fi
unset_note "nobody notices when this bundle itself dies: ALERT_DEADMAN_URL_FILE (a dead-man switch elsewhere)." ALERT_DEADMAN_URL
unset_note "the database is not watched: EXPORTER_DATABASE_URL_FILE (exporters/sql/role.sql), or Supercheck's own .env." EXPORTER_DATABASE_URL DATABASE_URL DB_PASSWORD
unset_note "the object store is not watched: S3_ENDPOINT with AWS_ACCESS_KEY_ID_FILE and AWS_SECRET_ACCESS_KEY_FILE." S3_ENDPOINT
unset_note "backups of Supercheck's database are not watched: S3_BACKUP_BUCKET_NAME (compose/backup/README.md)." S3_BACKUP_BUCKET_NAME
unset_note "links in pages open on this host only (Grafana gives out the runbooks): the profile front with PUBLIC_URL (compose/front/README.md) gives people a way in." PUBLIC_URL

echo
if [ "$ERRORS" -gt 0 ]; then echo "$ERRORS to mend."; exit 1; fi
echo "Nothing has to be mended."
