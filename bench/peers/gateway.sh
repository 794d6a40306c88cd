#!/bin/sh
# Status requests against FastAPI with Redis, and uploads, on this machine.
set -eu
if [ "$(id -u)" = 0 ]; then
	apt-get install -y --no-install-recommends wrk redis-server python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-redis python3-hiredis python3-jwt >/dev/null
fi
exec go run ./bench/gateway
