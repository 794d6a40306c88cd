#!/bin/sh
# Install OpenCV and measure its grabCut, led by the same face, beside our cut-out
# on drawn portraits of 1, 4 and 12 megapixels. Run from the root of the repository.
set -eu
if ! /usr/bin/python3 -c 'import cv2' 2>/dev/null; then
	sudo=""
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq
	$sudo apt-get install -y -qq --no-install-recommends python3-opencv >/dev/null
fi
go run ./bench/vision -peer
exec go run ./bench/vision -rss
