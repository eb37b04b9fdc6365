#!/usr/bin/env bash
# Builds Docker's compose plugin with Go, for a machine whose docker has none (about two minutes).
#   compose/tools/docker-compose.sh FILE    where the program is put; it runs by itself, or as a plugin of docker's
# `go install` refuses a module whose go.mod excludes versions: a module of our own repeats its lines.
set -euo pipefail

VERSION=v2.40.3
MODULE=github.com/docker/compose/v2

target=${1:?where to put the program}
if [ -x "$target" ] && go version -m "$target" | grep -Eq "(mod|dep)[[:space:]]+$MODULE[[:space:]]+$VERSION([[:space:]]|$)"; then exit; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source=$(go mod download -json "$MODULE@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp "$source/go.mod" "$source/go.sum" "$scratch/"
chmod u+w "$scratch"/*
cd "$scratch"
go mod edit -module=tools -require="$MODULE@$VERSION"
nice go build -mod=mod -trimpath -ldflags "-s -w" -o "$scratch/docker-compose" "$MODULE/cmd"
mkdir -p "$(dirname "$target")"
install -m 755 "$scratch/docker-compose" "$target"
