"""Makes a small data set in CelebA's layout: random images, random labels. Usage: make_celeba.py FOLDER"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = """5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair
Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup
High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose
Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat
Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young""".split()
COUNT = 60

folder = Path(sys.argv[1])
images = folder / "Img/img_align_celeba"
for made in (images, folder / "Anno", folder / "Eval"):
    made.mkdir(parents=True)
random = np.random.default_rng(0)
lines, partition = [str(COUNT), " ".join(NAMES)], []
for row in range(1, COUNT + 1):
    name = f"{row:06}.jpg"
    small = Image.fromarray(random.integers(0, 256, (11, 9, 3), dtype=np.uint8))
    small.resize((178, 218), Image.Resampling.BICUBIC).save(images / name, quality=95)
    lines.append(f"{name} " + " ".join(random.choice(["1", "-1"], 40)))
    partition.append(f"{name} {0 if row <= 40 else 1 if row <= 50 else 2}")
(folder / "Anno/list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
(folder / "Eval/list_eval_partition.txt").write_text("\n".join(partition) + "\n")
