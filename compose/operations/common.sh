# What the scripts beside this share; they begin with `. "$(dirname "$0")/common.sh"`. Bash from 3.2 on, no Python: a fresh
# host has Docker and a shell.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." # the root of the repository
ENV_FILE=compose/.env
PROJECT=supercheck-observability
COMPOSE=(docker compose -f compose/compose.yaml)
HERE=compose/operations

die() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; exit 2; }

# The first comment of the script is its help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit "${1:-0}"; }

# The value of a setting in a file as compose reads it (quotes off); nothing where it is not set. value_in FILE NAME
value_in() {
    [ -r "$1" ] || return 0
    sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$2[[:space:]]*=[[:space:]]*//p" "$1" | tail -n 1 \
        | sed -e 's/[[:space:]]\{1,\}#.*$//' -e 's/[[:space:]]*$//' -e "s/^'\(.*\)'\$/\1/" -e 's/^"\(.*\)"$/\1/'
}

# A setting of the bundle: from the environment, where compose looks first, else from compose/.env, else the default.
setting() {
    local value=${!1-}
    [ -n "$value" ] || value=$(value_in "$ENV_FILE" "$1")
    printf '%s' "${value:-${2-}}"
}

# Whether a file sets a name to something. is_set FILE NAME
is_set() { [ -n "$(value_in "$1" "$2")" ]; }

# user:group of a file as numbers, and its permissions (octal); GNU's stat, else that of BSD and macOS
owner_of() { stat -c %u:%g "$1" 2>/dev/null || stat -f %u:%g "$1"; }
mode_of() { stat -c %a "$1" 2>/dev/null || stat -f %Lp "$1"; }
# whether others than its owner and group may do it. others_may r FILE (r 4, w 2, x 1)
others_may() { [ $(($(mode_of "$2" | sed 's/.*\(.\)$/\1/') & $1)) -ne 0 ]; }

need_docker() {
    command -v docker >/dev/null 2>&1 \
        || die "docker is missing: install Docker Engine with its compose plugin (docs.docker.com/engine/install)."
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1 \
        || die "Docker does not answer: start it, or let this user ask it (group docker, or sudo). It says: $(docker version 2>&1 | tail -n 1)"
}
