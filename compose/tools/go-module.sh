#!/usr/bin/env bash
# Builds a program of a Go module that `go install` refuses, because its go.mod replaces or excludes others: a module of our own
# repeats its lines.
#   compose/tools/go-module.sh FILE MODULE VERSION PACKAGE [FLAG OF GO BUILD]...
# FILE is where the program is put, PACKAGE its folder in the module.
set -euo pipefail

target=${1:?where to put the program}
module=${2:?which module}
version=${3:?which version}
package=${4:?which package}
shift 4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source=$(go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp "$source/go.mod" "$source/go.sum" "$scratch/"
chmod u+w "$scratch"/*
cd "$scratch"
go mod edit -module=tools -require="$module@$version"
nice go build -mod=mod -trimpath -ldflags "-s -w" "$@" -o "$scratch/program" "$module/$package"
install -D -m 755 "$scratch/program" "$target"
