#!/bin/sh
# Installs the system programs videomsg uses, if they are missing, and then the
# Japanese voice. A second run finds everything there and changes nothing.
#
# usage: scripts/setup.sh PROGRAM=PACKAGE ...
#   PROGRAM may also be a file (with a slash): then its existence counts.
set -eu

missing=
for pair in "$@"; do
	program=${pair%%=*} package=${pair#*=}
	case $program in
	*/*) [ -e "$program" ] && continue ;;
	*) command -v "$program" >/dev/null 2>&1 && continue ;;
	esac
	missing="$missing $package"
done

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "setup: please install:$missing" >&2
		exit 1
	fi
	sudo=
	if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
	echo "setup: installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# shellcheck disable=SC2086 # a list of packages
	if ! { $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
		cat "$log" >&2
		exit 1
	fi
fi
if ! said=$(sh "$(dirname "$0")/voices.sh" 2>&1); then
	echo "$said" >&2
	exit 1
fi
