#!/bin/sh
# Five chained tasks against Celery on Redis, on this machine.
set -eu
if [ "$(id -u)" = 0 ]; then
	apt-get install -y --no-install-recommends redis-server python3-celery python3-redis python3-hiredis >/dev/null
fi
go test -run '^$' -bench 'PipelineCelery' -benchtime 1x ./bench/pipeline | grep '^bench:'
