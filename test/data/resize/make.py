"""Makes pillow.bin: python3 make.py (Pillow 9 or later). One picture, resized by each filter to each size, uint8 RGB."""
import random
from PIL import Image, __version__

random.seed(0)
picture = Image.new("RGB", (37, 53))
picture.putdata([tuple(random.choice((0, 255, random.randrange(256))) for _ in range(3)) for _ in range(37 * 53)])
filters = ["NEAREST", "BILINEAR", "BICUBIC", "BOX", "LANCZOS"]
sizes = [(17, 29), (64, 64), (90, 20), (37, 10), (5, 53), (1, 1)]
with open("pillow.bin", "wb") as out:
    out.write(picture.tobytes())
    for name in filters:
        for size in sizes:
            out.write(picture.resize(size, getattr(Image, name)).tobytes())
print(__version__)
