#!/bin/sh
# Looks for known vulnerabilities in the code that is really called. Without a
# network, name a copy of the database: scripts/vuln.sh file:///path/to/vulndb
set -eu
db=${1:-https://vuln.go.dev}
case $db in
http*)
	if ! curl -fsS --max-time 10 -o /dev/null "$db/index/db.json"; then
		echo "vuln: $db cannot be reached: nothing was checked. Name a copy: make vuln VULNDB=file:///path/to/vulndb" >&2
		exit 1
	fi
	;;
esac
exec go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -db="$db" ./...
