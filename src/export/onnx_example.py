import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("gal_net.onnx")
about = session.get_modelmeta().custom_metadata_map
prepared, resize, side = (int(about[key]) for key in ("prepared", "resize", "input"))
with Image.open("face.jpg") as file:
    image = ImageOps.exif_transpose(file).convert("RGB")
for size, filter in [(prepared, Image.Resampling.BICUBIC), (resize, Image.Resampling.BILINEAR)]:
    if image.size != (size, size):
        image = image.resize((size, size), filter)
margin = (resize - side) // 2
pixels = np.asarray(image, dtype=np.float32)[margin : margin + side, margin : margin + side]
probabilities = session.run(["probabilities"], {"pixels": pixels.transpose(2, 0, 1)[np.newaxis]})[0][0]
print(dict(zip(json.loads(about["attributes"]), probabilities.tolist())))
