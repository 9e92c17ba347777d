"""Writes types.parquet: numbers of every small type, each column beside the same numbers in 64 bits;
small_labels.parquet: labels of four images in 8 bits, as pandas writes them; other_types.parquet: the same with columns of
times, lists and other types; date_labels.parquet and date_people.parquet: dates as labels and as people.

    python tests/golden/parquet_types.py

needs numpy and pyarrow.
"""

import datetime as dt
import decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

columns = {}
for name in ["int8", "int16", "uint8", "uint16", "float16"]:
    limits = np.finfo(name) if name == "float16" else np.iinfo(name)
    numbers = np.array([limits.min, limits.max, 0, 1, 0, 77], dtype=name)
    if name == "float16":
        numbers[3:5] = [1 / 3, np.finfo(name).smallest_subnormal]
    missing = np.array([False, False, False, False, False, True])
    columns[name] = pa.array(numbers, mask=missing)
    columns[f"{name}_wide"] = pa.array(numbers.astype(float), mask=missing)
columns["text"] = pa.array(["a", "b", "a", None, "b", "a"]).dictionary_encode()
pq.write_table(pa.table(columns), Path(__file__).with_name("types.parquet"))

labels = {
    "image": ["Ann/1.jpg", "Ann/2.jpg", "Bo/1.jpg", "Cy/1.jpg"],
    "Male": pa.array([-1, 1, 0, 1], pa.int8()),
    "Young": pa.array([1, 0, 0, 0], pa.uint8()),
    "split": ["train", "train", "val", "test"],
}
pq.write_table(pa.table(labels), Path(__file__).with_name("small_labels.parquet"))

days = [dt.datetime(2020, 1, 1)] * 4
others = {
    "date": pa.array([day.date() for day in days]),
    "time": pa.array(days, pa.timestamp("us")),
    "zone": pa.array(days, pa.timestamp("ns", "UTC")),
    "clock": pa.array([dt.time(1, 2)] * 4),
    "age": pa.array([dt.timedelta(1)] * 4),
    "price": pa.array([decimal.Decimal("1.5")] * 4),
    "box": pa.array([[1, 2, 3, 4]] * 4),
    "camera": pa.array([{"lens": 1}] * 4),
    "tags": pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int32())),
}
pq.write_table(pa.table({**labels, **others}), Path(__file__).with_name("other_types.parquet"))
pq.write_table(pa.table({**labels, "Male": others["date"]}), Path(__file__).with_name("date_labels.parquet"))
pq.write_table(pa.table({**labels, "person": others["date"]}), Path(__file__).with_name("date_people.parquet"))
