#!/usr/bin/env bash
# Stand-ins for the images that compose/images.yaml pins and the Dockerfiles begin with, on a machine that reaches packages and no
# registry of images: the same names and tags, Debian's programs or those of `make tools` inside. They prove that the compose files and our
# Dockerfiles work, not that the real images do.
#
#   compose/standins/make.sh [NAME...]     files of images/ without their ending, or debian; all of them where none is named
#
# Debian 12 is made once with debootstrap and kept in ~/.cache (about a minute, needs root); every other image is a Dockerfile of images/ on top
# of it, so Docker's own cache makes the second run a matter of seconds. What this machine is told about its package registries (pip's and
# npm's settings, the certificates it trusts) is put into the stand-in of Debian, so that RUN lines reach them too; nothing of
# it is written anywhere else.
set -euo pipefail

cd "$(dirname "$0")/../.."
CACHE="$HOME/.cache/supercheck-observability"
ROOTFS=$CACHE/standins/debian-2.tar # another number where what is in it changes
TOOLS=$CACHE/bin
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
export DOCKER_BUILDKIT=0 # Debian's docker.io has no buildx

say() { printf 'standins: %s\n' "$*"; }
die() { printf 'standins: %s\n' "$*" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The image of this name, as it is pinned.
pinned() {
    local found
    found=$(sed -nE "s#^ *(image|[A-Z]+_IMAGE): $1:\\\$\{[A-Z_]+:-([A-Za-z0-9._-]+)\}\$#\2#p" compose/images.yaml | sort -u)
    if [ "$(wc -w <<<"$found")" != 1 ]; then die "compose/images.yaml pins $1 $(wc -w <<<"$found") times"; fi
    printf '%s:%s' "$1" "$found"
}

make_rootfs() {
    if [ -f "$ROOTFS" ]; then return; fi
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    [ "$(id -u)" = 0 ] || die "debootstrap needs root"
    local mirror system=$scratch/system
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    say "Debian 12 by debootstrap (about a minute)"
    debootstrap --variant=minbase bookworm "$system" "$mirror" >"$scratch/log" 2>&1 \
        || { tail -n 20 "$scratch/log" >&2; die "debootstrap failed"; }
    # what the slim image leaves out, so that sizes mean something
    rm -rf "$system"/var/lib/apt/lists/* "$system"/var/cache/apt/*.bin "$system"/var/cache/apt/archives/*.deb \
        "$system"/usr/share/{doc,man,info,locale,lintian}/* "$system"/var/log/*
    printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$system/etc/dpkg/dpkg.cfg.d/slim"
    mkdir -p "$CACHE/standins"
    tar -C "$system" -cf "$ROOTFS.new" .
    mv "$ROOTFS.new" "$ROOTFS"
}

# How pip, uv and npm are told here where their registries are.
registries() {
    local index npm
    index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
    npm=$(npm config get registry 2>/dev/null || true)
    {
        printf '[global]\n'
        if [ -n "$index" ]; then printf 'index-url = %s\n' "$index"; fi
    } >"$1/pip.conf"
    if [ -n "$index" ]; then printf '[[index]]\nurl = "%s"\ndefault = true\n' "$index" >"$1/uv.toml"; else : >"$1/uv.toml"; fi
    case $npm in http*) printf 'registry=%s\n' "$npm" ;; esac >"$1/npmrc"
    if [ -f "$CERTIFICATES" ]; then cp "$CERTIFICATES" "$1/certificates.crt"; else : >"$1/certificates.crt"; fi
}

# image NAME:TAG FOLDER [DOCKERFILE]: builds it; says what went wrong if anything did.
image() {
    docker build --quiet --tag "$1" --file "${3:-$2/Dockerfile}" "$2" >"$scratch/log" 2>&1 \
        || { tail -n 30 "$scratch/log" >&2; die "the stand-in for $1 was not built"; }
    say "$1"
}

make_debian() {
    make_rootfs
    local context=$scratch/debian sum
    mkdir -p "$context"
    sum=$(sha256sum "$ROOTFS" | cut -c1-12)
    if ! docker image inspect "supercheck-standin-rootfs:$sum" >/dev/null 2>&1; then
        docker import "$ROOTFS" "supercheck-standin-rootfs:$sum" >/dev/null
    fi
    registries "$context"
    sed "s/@ROOTFS@/supercheck-standin-rootfs:$sum/" compose/standins/images/debian.Dockerfile >"$context/Dockerfile"
    image "$(pinned debian)" "$context"
}

# A Dockerfile of images/, whose first line says which image it stands for and which programs of `make tools` it takes.
make_one() {
    local name=$1 file=compose/standins/images/$1.Dockerfile context=$scratch/$1 header
    [ -f "$file" ] || die "no stand-in for $name"
    header=$(head -n 1 "$file") # "# stands for IMAGE [with PROGRAM...]"
    mkdir -p "$context"
    local words
    read -r -a words <<<"${header#\# stands for }"
    for program in "${words[@]:2}"; do
        if [ ! -x "$TOOLS/$program" ]; then
            say "no stand-in for ${words[0]}: $program was not built (make tools)"
            return
        fi
        cp --reflink=auto "$TOOLS/$program" "$context/"
        # a fresh copy has a time of its own, and would spoil Docker's cache
        touch -d @0 "$context/$program"
    done
    local debian python itself
    debian=$(pinned debian) python=$(pinned python) itself=$(pinned "${words[0]}")
    sed "s/@DEBIAN@/$debian/; s/@PYTHON@/$python/" "$file" >"$context/Dockerfile"
    image "$itself" "$context"
}

docker version >/dev/null 2>&1 || die "no docker answers: start dockerd, or set DOCKER_HOST"
make_debian
names=("$@")
if [ $# = 0 ]; then
    for file in compose/standins/images/*.Dockerfile; do
        name=$(basename "$file" .Dockerfile)
        [ "$name" = debian ] || names+=("$name")
    done
    # some begin with the stand-in of Python
    names=(python "${names[@]/#python/}")
fi
for name in "${names[@]}"; do
    case $name in '' | debian) ;; *) make_one "$name" ;; esac
done
