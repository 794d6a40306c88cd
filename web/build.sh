#!/bin/sh
# Builds web/dist. With --check, builds elsewhere and fails when the checked-in
# files differ from what the source gives.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "web: npm is missing; install Node.js 20.19 or newer" >&2; exit 1; }
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
npx tsc --noEmit
case "${1:-}" in
--check)
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  npx vite build --logLevel warn --outDir "$out" --emptyOutDir
  diff -r "$out" dist || { echo "web: dist is not what the source gives; run web/build.sh" >&2; exit 1; }
  ;;
"")
  npx vite build --logLevel warn --emptyOutDir
  ;;
*)
  echo "usage: $0 [--check]" >&2
  exit 2
  ;;
esac
