"""Reads prepared sets of every format with stock libraries and compares them with their manifests.

Usage: read_prepared.py FOLDER...   (needs requirements.txt; sources of a virtual set are read from its origin folder)
"""

import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import webdataset as wds
from blake3 import blake3
from PIL import Image
import io


def digest(data):
    return blake3(data).hexdigest()


def check_pixels(data, row):
    with Image.open(io.BytesIO(data)) as image:
        assert np.asarray(image).shape == (row.height, row.width, 3), row.source


def read_jpeg(folder, manifest, prepared):
    for row in manifest.itertuples():
        data = (folder / row.file).read_bytes()
        assert digest(data) == row.digest and len(data) == row.bytes, row.file
        check_pixels(data, row)
    return "every JPEG decodes and matches its digest"


def read_webdataset(folder, manifest, prepared):
    shards = [str(folder / shard["file"]) for shard in prepared["shards"]]
    for shard in prepared["shards"]:
        assert digest((folder / shard["file"]).read_bytes()) == shard["digest"], shard
    rows = {row.member.removesuffix(".jpg"): row for row in manifest.itertuples()}
    labels = manifest.columns[4:44]
    seen = 0
    for sample in wds.WebDataset(shards, shardshuffle=False, empty_check=False):
        row, beside = rows[sample["__key__"]], json.loads(sample["json"])
        assert digest(sample["jpg"]) == row.digest, row.member
        check_pixels(sample["jpg"], row)
        assert (beside["source"], beside["copy"], beside["split"]) == (row.source, row.copy, row.split)
        assert [beside[name] for name in labels] == list(map(int, manifest.loc[row.Index, labels])), row.member
        with open(folder / row.file, "rb") as archive:
            archive.seek(row.offset)
            assert archive.read(int(row.bytes)) == sample["jpg"], row.member
        seen += 1
    assert seen == len(manifest), seen
    return f"{len(shards)} shards, every sample has its image and its labels"


def read_npy(folder, manifest, prepared):
    images = np.load(folder / "images.npy", mmap_mode="r")
    size = prepared["size"]
    assert images.shape == (len(manifest), size, size, 3) and images.dtype == np.uint8, images.shape
    for row in manifest.itertuples():
        assert digest(images[row.Index].tobytes()) == row.digest, row.Index
    return f"array {images.shape}, every row matches its digest"


def read_virtual(folder, manifest, prepared):
    root = Path(prepared["origin"]["folder"])
    for row in manifest[manifest["copy"] == 0].itertuples():
        assert digest((root / row.source).read_bytes()) == row.source_digest, row.source
    return "every source matches its digest"


for folder in map(Path, sys.argv[1:]):
    prepared = json.loads((folder / "prepared.json").read_text())
    manifest = pd.read_parquet(folder / "manifest.parquet")
    text = pd.read_csv(folder / "manifest.csv")
    assert (folder / "manifest.parquet").exists() and digest((folder / "manifest.parquet").read_bytes()) == prepared[
        "manifest_digest"
    ]
    assert list(text.columns) == list(manifest.columns) and len(text) == len(manifest)
    labels = manifest.columns[4:44]
    # DuckDB reads both files and counts the same rows.
    men = int(manifest["Male"].sum())
    for name in ("manifest.parquet", "manifest.csv"):
        counted = duckdb.sql(f"select count(*), count(*) filter (where Male) from '{folder / name}'").fetchall()
        assert counted == [(len(manifest), men)], counted
    assert manifest[labels].dtypes.eq(bool).all() and text[labels].equals(manifest[labels])
    assert (text["source"] == manifest["source"]).all() and (text["copy"] == manifest["copy"]).all()
    for split in ("train", "val", "test"):
        assert (manifest["split"] == split).sum() == prepared[split]["stored"], split
    assert (manifest.loc[manifest["split"] != "train", "copy"] == 0).all()
    assert (manifest.loc[manifest["copy"] == 0, "operations"] == "").all()
    readers = {"jpeg": read_jpeg, "webdataset": read_webdataset, "npy": read_npy, "virtual": read_virtual}
    summary = readers[prepared["format"]](folder, manifest, prepared)
    print(f"{prepared['format']}: {len(manifest)} images; {summary}")
