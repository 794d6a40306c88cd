#!/bin/sh
# Builds what a release is made of, in dist/VERSION: static binaries for linux on
# amd64 and arm64, a software bill of materials, the licences of what is in them,
# and checksums. The same commit gives the same bytes.
#
# usage: scripts/release.sh [VERSION]   (default: git describe)
set -eu
version=${1:-$(git describe --tags --always --dirty)}
out=dist/$version
rm -rf "$out"
mkdir -p "$out"

for arch in amd64 arm64; do
	echo "release: linux/$arch"
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOFLAGS=-mod=readonly \
		go build -trimpath -buildvcs=true -ldflags="-s -w -buildid= -X main.release=$version" -o "$out/videomsg-linux-$arch" .
done

echo "release: bill of materials"
go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 app -json -licenses -noserial -output "$out/sbom.cdx.json" . 2>"$out/sbom.log" || {
	cat "$out/sbom.log" >&2
	exit 1
}
rm -f "$out/sbom.log"

echo "release: licences"
{
	echo "Licences of the modules in videomsg $version"
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}}	{{.Version}}	{{.Dir}}{{end}}{{end}}' . | sort -u |
		while IFS="$(printf '\t')" read -r path v dir; do
			printf '\n\n======== %s %s ========\n\n' "$path" "$v"
			found=
			for f in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/License* "$dir"/NOTICE*; do
				if [ -f "$f" ]; then
					cat "$f"
					found=yes
				fi
			done
			if [ -z "$found" ]; then
				echo "release: $path has no licence file" >&2
				exit 1
			fi
		done
} >"$out/LICENSES.txt"

(cd "$out" && sha256sum -- * >SHA256SUMS)
cat "$out/SHA256SUMS"
