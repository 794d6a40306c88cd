#!/bin/sh
# Builds web/dist, and the types of the API from openapi.json. With --check, builds
# elsewhere and fails when what is checked in is not what the source gives.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "web: npm is missing; install Node.js 20.19 or newer" >&2; exit 1; }
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
case "${1:-}" in
--check)
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  npx openapi-typescript openapi.json -o "$out/schema.ts" >/dev/null
  diff "$out/schema.ts" src/api/schema.ts || { echo "web: src/api/schema.ts is not what openapi.json gives; run web/build.sh" >&2; exit 1; }
  npx tsc --noEmit
  npx vite build --logLevel warn --outDir "$out/dist" --emptyOutDir
  diff -r "$out/dist" dist || { echo "web: dist is not what the source gives; run web/build.sh" >&2; exit 1; }
  ;;
"")
  npx openapi-typescript openapi.json -o src/api/schema.ts >/dev/null
  npx tsc --noEmit
  npx vite build --logLevel warn --emptyOutDir
  ;;
*)
  echo "usage: $0 [--check]" >&2
  exit 2
  ;;
esac
