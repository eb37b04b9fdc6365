# What the scripts beside this share; they begin with `. "$(dirname "$0")/common.sh"`. Bash from 3.2 on, no Python: a fresh
# host has Docker and a shell.

CALLED_IN=$PWD
# a path that a person gave, seen from where they are
given() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$CALLED_IN" "$1" ;; esac }
cd "$(dirname "${BASH_SOURCE[0]}")/../.." # the root of the repository
ENV_FILE=compose/.env
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

# as compose names it, unless somebody has told it otherwise
PROJECT=$(setting COMPOSE_PROJECT_NAME supercheck-observability)

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

# ---- containers and volumes of the bundle, by compose's labels: nothing of another project is ever named here

ours() { docker ps "${@:2}" --filter "label=com.docker.compose.project=$PROJECT" --format "$1"; }
running() { ours '{{.Label "com.docker.compose.service"}}' | sort -u; }
volume_of() {
    docker volume ls --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.volume=$1" \
        --format '{{.Name}}' | head -n 1
}
# the exporter's image has a shell and tar, and is always there
tool_image() { "${COMPOSE[@]}" config | awk '/^  exporter:/ {found = 1} found && /^    image:/ {print $2; exit}'; }
# a program of that image with one volume at /data, as a user, without network or rights. in_volume USER VOLUME ro|rw PROGRAM ARGUMENT...
in_volume() {
    docker run --rm --interactive --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --user "$1" \
        --volume "$2:/data:$3" --entrypoint "$4" "$IMAGE" "${@:5}"
}
sha() { { sha256sum "$@" 2>/dev/null || shasum -a 256 "$@"; } | cut -d' ' -f1; }

# What is kept: the name of the volume, the service that writes it, and the user that owns it. Logs and traces are not.
STORES='alertmanager alertmanager 65534:65534
grafana grafana 472:472
prometheus prometheus 65534:65534'
# ... and what opens only with a passphrase
SECRET_STORES='grafana-secrets - 65532:65532
front front 65530:65530'

# gpg with a home of its own, short enough for its socket. need_gpg PASSPHRASE-FILE, gpg_with PASSPHRASE-FILE ARGUMENT...
GPG_HOME=''
need_gpg() {
    command -v gpg >/dev/null 2>&1 || die "gpg is missing, which encrypts the secrets: install gnupg, or leave --passphrase-file away."
    [ -s "$1" ] || die "$1 is not there or empty: --passphrase-file names a file with one line."
    GPG_HOME=$(mktemp -d)
}
gpg_with() { gpg --batch --quiet --no-tty --homedir "$GPG_HOME" --pinentry-mode loopback --passphrase-file "$1" "${@:2}"; }
end_gpg() {
    if [ -n "$GPG_HOME" ]; then
        gpgconf --homedir "$GPG_HOME" --kill all >/dev/null 2>&1 || true
        rm -rf "$GPG_HOME"
    fi
}
