#!/usr/bin/env bash
# Builds Jaeger 2 with Go (about four minutes), without its pages, which the module does not hold.
#   compose/tools/jaeger.sh FILE    where the program is put
# `go install` refuses a module whose go.mod replaces another: a module of our own repeats its lines.
set -euo pipefail

VERSION=v1.76.0 # the Go module's number of Jaeger 2.13.0; newer ones are not published as a module of this path
MODULE=github.com/jaegertracing/jaeger

target=${1:?where to put the program}
if [ -x "$target" ] && go version -m "$target" | grep -Eq "(mod|dep)[[:space:]]+$MODULE[[:space:]]+$VERSION([[:space:]]|$)"; then exit; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source=$(go mod download -json "$MODULE@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp "$source/go.mod" "$source/go.sum" "$scratch/"
chmod u+w "$scratch"/*
cd "$scratch"
go mod edit -module=tools -require="$MODULE@$VERSION"
nice go build -mod=mod -trimpath -ldflags "-s -w" -o "$scratch/jaeger" "$MODULE/cmd/jaeger"
mkdir -p "$(dirname "$target")"
install -m 755 "$scratch/jaeger" "$target"
