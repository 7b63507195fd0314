"""An aligned scene to try `train --good-only --way fixed-camera` on: a part in its holder under a camera that stands still, light and noise
vary a little; defects are a screw that is missing, a hole that is clogged, a scratch, a part that is turned.

    python test/classifier/aligned-scene.py FOLDER     # FOLDER/good, FOLDER/defect
"""

import math
import sys
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter

SIZE, SCALE = 224, 2
SCREWS = [(50, 50), (174, 50), (50, 174), (174, 174), (112, 40), (112, 184)]
HOLES = [(80, 112), (112, 112), (144, 112)]


def scene(random, defect):
    kind = ["screw", "hole", "scratch", "turn"][random.integers(4)] if defect else None
    picture = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), (70, 72, 76))
    draw = ImageDraw.Draw(picture)

    def circle(x, y, r, fill):
        draw.ellipse([SCALE * (x - r), SCALE * (y - r), SCALE * (x + r), SCALE * (y + r)], fill=fill)

    draw.rounded_rectangle([SCALE * 24, SCALE * 24, SCALE * 200, SCALE * 200], 30, fill=(150, 152, 158))
    draw.rectangle([SCALE * 62, SCALE * 92, SCALE * 162, SCALE * 132], fill=(60, 90, 70))
    missing = random.integers(len(SCREWS)) if kind == "screw" else None
    for i, (x, y) in enumerate(SCREWS):
        circle(x, y, 10, (90, 92, 96))
        if i == missing:
            continue
        circle(x, y, 8, (200, 200, 205))
        angle = random.uniform(0, math.pi)  # of the slot: good screws stop anywhere
        dx, dy = 6 * math.cos(angle), 6 * math.sin(angle)
        draw.line([SCALE * (x - dx), SCALE * (y - dy), SCALE * (x + dx), SCALE * (y + dy)], fill=(80, 80, 85), width=3)
    clogged = random.integers(len(HOLES)) if kind == "hole" else None
    for i, (x, y) in enumerate(HOLES):
        circle(x, y, 9, (120, 130, 110) if i == clogged else (15, 15, 18))
    if kind == "scratch":
        x, y, angle = random.uniform(60, 164), random.uniform(60, 164), random.uniform(0, math.pi)
        dx, dy = random.uniform(12, 25) * math.cos(angle), random.uniform(12, 25) * math.sin(angle)
        draw.line([SCALE * (x - dx), SCALE * (y - dy), SCALE * (x + dx), SCALE * (y + dy)], fill=(225, 225, 230), width=3)
    if kind == "turn":
        picture = picture.rotate(float(random.choice([-1, 1]) * random.uniform(4, 8)), resample=Image.BILINEAR, fillcolor=(70, 72, 76))
    shift = tuple(float(each) for each in random.uniform(-0.8, 0.8, 2))  # the holder has a little play
    picture = picture.transform(picture.size, Image.AFFINE, (1, 0, shift[0], 0, 1, shift[1]), resample=Image.BILINEAR)
    picture = picture.resize((SIZE, SIZE), Image.LANCZOS).filter(ImageFilter.GaussianBlur(random.uniform(0.3, 0.7)))
    values = numpy.asarray(picture, dtype=numpy.float32) * random.uniform(0.92, 1.08)
    values += random.normal(0, 3, values.shape)
    return Image.fromarray(numpy.uint8(values.clip(0, 255)))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, count, seed in [("good", 500, 1), ("defect", 100, 2)]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        random = numpy.random.default_rng(seed)
        for n in range(count):
            scene(random, name == "defect").save(folder / name / f"{n:03}.png")
