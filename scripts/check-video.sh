#!/usr/bin/env bash
# Checks a finished video with ffprobe and ffmpeg: one H.264 and one AAC stream of
# the same length, a first frame that is not black, sound that is not silent.
#
# usage: scripts/check-video.sh FILE [SECONDS]
set -euo pipefail
file=$1
probe() { ffprobe -v error "$@" "$file"; }
streams=$(probe -show_entries stream=codec_name -of csv=p=0 | sort | paste -sd' ')
[ "$streams" = "aac h264" ] || { echo "check-video: streams are '$streams', want 'aac h264'"; exit 1; }
video=$(probe -select_streams v:0 -show_entries stream=duration -of csv=p=0)
audio=$(probe -select_streams a:0 -show_entries stream=duration -of csv=p=0)
want=${2:-$audio}
awk -v v="$video" -v a="$audio" -v w="$want" 'BEGIN {
	if (v-w > 0.1 || w-v > 0.1 || a-w > 0.1 || w-a > 0.1) { printf "check-video: %.3f s of picture, %.3f s of sound, want %.3f s\n", v, a, w; exit 1 }
}'
luma=$(ffmpeg -hide_banner -nostdin -v error -i "$file" -frames:v 1 -vf 'scale=1:1:flags=area,format=gray' -f rawvideo - | od -An -tu1 | tr -d ' \n')
[ "$luma" -ge 24 ] || { echo "check-video: the first frame is black (mean luma $luma)"; exit 1; }
level=$(ffmpeg -hide_banner -nostdin -i "$file" -map 0:a -af volumedetect -f null - 2>&1 | sed -n 's/.*mean_volume: \(.*\) dB/\1/p')
awk -v l="$level" 'BEGIN { if (l == "" || l < -45) { printf "check-video: the sound is silent (%s dB)\n", l; exit 1 } }'
echo "check-video: $file: H.264 $video s, AAC $audio s, first frame luma $luma, mean volume $level dB"
