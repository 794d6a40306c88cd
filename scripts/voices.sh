#!/bin/sh
# Installs the Japanese HTS voice "NIT ATR503 M001" (Nagoya Institute of
# Technology, CC BY 3.0) for Open JTalk.
#
# Debian keeps it in the component "contrib", which most machines do not list.
# The voice is fetched with one temporary source file that names contrib, so the
# machine's own sources, lists and pins stay as they are. As root it is installed
# as a package; otherwise the package is unpacked below a data directory.
#
# usage: scripts/voices.sh [DIR]
#   DIR  where to unpack when not root (default: ${DATA_DIR:-./data}/voices)
# The last line printed is the path of the .htsvoice file.
set -eu

package=hts-voice-nitech-jp-atr503-m001
installed=/usr/share/hts-voice/nitech-jp-atr503-m001/nitech_jp_atr503_m001.htsvoice
dir=${1:-${DATA_DIR:-./data}/voices}
unpacked=$dir/nitech_jp_atr503_m001.htsvoice

for have in "$installed" "$unpacked"; do
	if [ -s "$have" ]; then
		echo "$have"
		exit 0
	fi
done

for program in apt-get dpkg-deb; do
	if ! command -v "$program" >/dev/null; then
		echo "voices.sh: $program not found: this script needs Debian or Ubuntu." >&2
		echo "Elsewhere: get nitech_jp_atr503_m001.htsvoice and set OPEN_JTALK_VOICE to its path." >&2
		exit 1
	fi
done

# The mirror and the release this machine uses already.
. /etc/os-release
case ${ID:-} in
debian)
	mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
	suite=${VERSION_CODENAME:-stable}
	component=contrib
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	;;
ubuntu)
	mirror=${DEBIAN_MIRROR:-http://archive.ubuntu.com/ubuntu}
	suite=$VERSION_CODENAME
	component=multiverse
	keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
	;;
*)
	echo "voices.sh: ${ID:-unknown system}: only Debian and Ubuntu carry the package" >&2
	exit 1
	;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/lists/partial" "$work/archives/partial"
chmod 755 "$work" "$work/lists" "$work/archives"
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
	chown _apt "$work/lists/partial" "$work/archives/partial"
fi
cat >"$work/voice.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main $component
Signed-By: $keyring
SOURCES

# Everything apt writes goes to $work: the machine's package lists are untouched.
apt() {
	apt-get -q \
		-o Dir::Etc::sourcelist="$work/voice.sources" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::Lists="$work/lists" \
		-o Dir::Cache::Archives="$work/archives" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		"$@" >&2
}

apt update
if [ "$(id -u)" = 0 ]; then
	DEBIAN_FRONTEND=noninteractive apt install -y --no-install-recommends "$package"
	voice=$installed
else
	(cd "$work" && apt download "$package")
	dpkg-deb -x "$work/$package"_*.deb "$work/tree"
	mkdir -p "$dir"
	cp "$work/tree$installed" "$unpacked.part"
	# CC BY 3.0: the licence travels with the voice.
	cp "$work/tree/usr/share/doc/$package/copyright" "$dir/nitech_jp_atr503_m001.copyright"
	mv "$unpacked.part" "$unpacked"
	voice=$unpacked
fi

if [ ! -s "$voice" ]; then
	echo "voices.sh: $package is installed but $voice is missing" >&2
	exit 1
fi
echo "$voice"
