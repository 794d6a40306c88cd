#!/usr/bin/env python3
"""Writes the pictures of this folder that Go's encoders cannot write.

Needs Debian's python3-pil. The drawing is a gradient with a red square in the
upper left corner, so that a test can see orientation and colours.
"""
from PIL import Image

W, H = 96, 64

def drawing():
    im = Image.new("RGB", (W, H))
    for y in range(H):
        for x in range(W):
            im.putpixel((x, y), (200, 30, 30) if x < 24 and y < 24 else (60 + x, 100, 60 + 2 * y))
    return im

im = drawing()
im.save("progressive.jpg", quality=92, progressive=True)
im.convert("CMYK").save("cmyk.jpg", quality=92)
im.convert("L").save("grey.jpg", quality=92)
im.save("lossy.webp", quality=92)
im.save("lossless.webp", lossless=True)
alpha = im.convert("RGBA")
alpha.putalpha(Image.linear_gradient("L").resize((W, H)))
alpha.save("alpha.webp", quality=92)
alpha.save("animated.webp", save_all=True, append_images=[alpha.transpose(Image.Transpose.FLIP_LEFT_RIGHT)], duration=100, quality=92)

im.save("first.gif")
