#!/bin/sh
# Tests s3store against a real S3 server, versitygw, over http and over https.
# It starts the server, which scripts/s3server.sh builds once, on free ports.
#
#   test.sh -bench [NAME]   measures bench/objectstore over http instead
#   S3_SERVER=/path/to/versitygw  use this binary instead of building it
set -eu
here=$(cd "$(dirname "$0")" && pwd)
server=${S3_SERVER:-$(sh "$here/../../scripts/s3server.sh")}

work=$(mktemp -d)
pids=
stop() {
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

(cd "$work" && go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" -host 127.0.0.1 -ca -duration 24h 2>/dev/null)

# start SCHEME [FLAG...] sets port to where the server answers.
start() {
	scheme=$1
	shift
	mkdir -p "$work/$scheme"
	for try in 1 2 3 4 5; do
		port=$(shuf -i 20000-32000 -n 1)
		ROOT_ACCESS_KEY=testkey ROOT_SECRET_KEY=testsecret "$server" --port "127.0.0.1:$port" --region us-west-2 "$@" \
			posix "$work/$scheme" >"$work/$scheme.log" 2>&1 &
		pid=$!
		for _ in $(seq 1 100); do
			sleep 0.1 # first: one that cannot have the port is gone by then
			kill -0 "$pid" 2>/dev/null || break
			if curl -sk -o /dev/null -m 5 "$scheme://127.0.0.1:$port/"; then
				pids="$pids $pid"
				return
			fi
		done
		kill "$pid" 2>/dev/null || true
	done
	cat "$work/$scheme.log" >&2
	exit 1
}

start http
plain=http://127.0.0.1:$port
if [ "${1:-}" = -bench ]; then
	cd "$here/../../bench/objectstore"
	export S3_TEST_ENDPOINT=$plain S3_TEST_ACCESS_KEY=testkey S3_TEST_SECRET_KEY=testsecret S3_TEST_REGION=us-west-2
	go test -count=1 -run '^$' -bench "${2:-.}" -benchtime 1x -timeout 20m .
	exit
fi
start https --cert "$work/cert.pem" --key "$work/key.pem"
secure=https://127.0.0.1:$port

export AWS_EC2_METADATA_DISABLED=true S3_TEST_ACCESS_KEY=testkey S3_TEST_SECRET_KEY=testsecret S3_TEST_REGION=us-west-2
cd "$here"
# An object of 1 GiB goes through once.
S3_TEST_ENDPOINT=$plain STORETEST_LARGE=1 go test -count=1 -timeout 5m "$@" .
S3_TEST_ENDPOINT=$secure S3_TEST_CA=$work/cert.pem go test -count=1 -timeout 3m "$@" .
