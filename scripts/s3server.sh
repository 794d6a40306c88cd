#!/bin/sh
# Prints the path of an S3 server, versitygw, which it builds at first (two minutes).
# It is installed as a program, never a requirement of this module.
set -eu
version=v1.8.0
bin=${XDG_CACHE_HOME:-$HOME/.cache}/videomsg/versitygw-$version
if [ ! -x "$bin/versitygw" ]; then
	echo "building versitygw $version into $bin" >&2
	(cd / && GOBIN=$bin GOFLAGS=-mod=mod go install "github.com/versity/versitygw/cmd/versitygw@$version")
fi
echo "$bin/versitygw"
