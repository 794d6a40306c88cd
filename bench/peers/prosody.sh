#!/bin/sh
# Install the programs people use to change the speed and the pitch of speech and
# measure them beside ours on the same sounds, generated and spoken by machines.
# Run from the root of the repository; arguments go to bench/dsp.
set -eu

packages=""
need() { # program package
	command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need rubberband rubberband-cli
need soundstretch soundstretch
need sox sox
need ffmpeg ffmpeg
need espeak-ng espeak-ng
if [ -n "$packages" ]; then
	sudo=""
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq
	# shellcheck disable=SC2086 # a list
	$sudo apt-get install -y -qq --no-install-recommends $packages
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Speech nobody owns: espeak-ng always, Open JTalk when it has a voice, and the
# spoken channel names of alsa-utils when they are there.
espeak-ng -v en-us -w "$dir/espeak.wav" "Happy birthday to you, my dear friend. I hope that this year brings you joy, health and many happy surprises. Thank you for everything you have done for us."
speech="$dir/espeak.wav"

voice=$(find /usr/share/hts-voice -name '*.htsvoice' 2>/dev/null | sort | head -n 1)
dic=$(find /var/lib/mecab/dic/open-jtalk -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort | head -n 1)
if command -v open_jtalk >/dev/null 2>&1 && [ -n "$voice" ] && [ -n "$dic" ]; then
	n=0
	while read -r line; do # open_jtalk speaks the first line only
		n=$((n + 1))
		echo "$line" | open_jtalk -x "$dic" -m "$voice" -ow "$dir/jtalk-part$n.wav"
	done <<-TEXT
		お誕生日おめでとうございます、素敵な一年になりますように。
		いつも応援してくれて、本当にありがとう！
		明日は朝の八時に駅前で待ち合わせましょう。
	TEXT
	sox "$dir"/jtalk-part*.wav "$dir/jtalk.wav"
	speech="$speech,$dir/jtalk.wav"
fi
if [ -f /usr/share/sounds/alsa/Front_Center.wav ]; then
	sox /usr/share/sounds/alsa/*_*.wav "$dir/human.wav"
	speech="$speech,$dir/human.wav"
fi

go run ./bench/dsp -peers -only fft,resample,prosody -speech "$speech" "$@"
