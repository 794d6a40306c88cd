#!/usr/bin/env python3
"""OpenCV's grabCut as the peer of the local cut-out. One thread.

For every line of standard input, "picture prior side iterations result", cuts
the picture with the prior as a four-level mask (below 0.03, 0.5, 0.97) at the
given long side and writes the mask at the picture's size. Prints the processor
seconds from the decoded picture to the full-size mask.
"""
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
for line in sys.stdin:
    picture, prior, side, iterations, result = line.rstrip("\n").split("\t")
    img = cv2.imread(picture, cv2.IMREAD_COLOR)
    p = cv2.imread(prior, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    cv2.setRNGSeed(1)
    start = time.process_time()
    h, w = img.shape[:2]
    k = min(1.0, int(side) / max(w, h))
    size = (max(1, round(w * k)), max(1, round(h * k)))
    small = cv2.resize(img, size, interpolation=cv2.INTER_AREA)
    q = cv2.resize(p, size, interpolation=cv2.INTER_LINEAR)
    mask = np.where(q < 0.03, cv2.GC_BGD, np.where(q < 0.5, cv2.GC_PR_BGD, np.where(q < 0.97, cv2.GC_PR_FGD, cv2.GC_FGD))).astype(np.uint8)
    cv2.grabCut(small, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), int(iterations), cv2.GC_INIT_WITH_MASK)
    fg = np.where((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    full = cv2.resize(fg, (w, h), interpolation=cv2.INTER_LINEAR)
    seconds = time.process_time() - start
    cv2.imwrite(result, full)
    print(f"{seconds:.6f}", flush=True)
