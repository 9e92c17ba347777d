"""Writes lfwa_*.mat, small files for the reader of LFWA: MATLAB version 7.3 by h5py, which contains an independent HDF5
implementation, and version 5 by SciPy. People and labels are invented.

The label of attribute k (in the order of the list below) on image i is 1 if (7 i + 3 k) mod 5 is 0, else 0.
"""

import os
import struct

import h5py
import numpy as np
import scipy.io

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
).split()
IMAGES = [
    "Ada_Quill\\Ada_Quill_0001.jpg",
    "Ada_Quill\\Ada_Quill_0002.jpg",
    "Bo_Ember\\Bo_Ember_0001.jpg",
    "Zoë_Finch\\Zoë_Finch_0001.jpg",
    "Zoë_Finch\\Zoë_Finch_0002.jpg",
    "Zoë_Finch\\Zoë_Finch_0003.jpg",
]
LABELS = np.array([[float((7 * i + 3 * k) % 5 == 0) for k in range(40)] for i in range(len(IMAGES))])


class Mat73:
    """A MATLAB 7.3 file: HDF5 after a block of 512 bytes, cells as references, arrays with reversed dimensions."""

    def __init__(self, name):
        self.path = os.path.join(HERE, name)
        self.file = h5py.File(self.path, "w", userblock_size=512, libver="earliest")
        self.count = 0

    def cell(self, name, strings):
        refs = self.file.require_group("#refs#")
        made = []
        for string in strings:
            units = np.frombuffer(string.encode("utf-16-le"), "<u2").reshape(-1, 1)
            item = refs.create_dataset(f"r{self.count}", data=units)
            item.attrs.create("MATLAB_class", np.bytes_("char"))
            item.attrs["MATLAB_int_decode"] = np.int32(2)
            made.append(item.ref)
            self.count += 1
        cell = self.file.create_dataset(name, (1, len(made)), dtype=h5py.ref_dtype)
        cell[0, :] = np.array(made, dtype=object)
        cell.attrs.create("MATLAB_class", np.bytes_("cell"))
        return self

    def double(self, name, array, compress=False):
        """Stores `array`, given in MATLAB's order, transposed."""
        array = np.asarray(array, dtype="f8").T
        options = dict(chunks=(min(array.shape[0], 3), array.shape[1]), compression="gzip") if compress else {}
        data = self.file.create_dataset(name, data=array, **options)
        data.attrs.create("MATLAB_class", np.bytes_("double"))
        return self

    def close(self):
        self.file.close()
        head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  1 00:00:00 2015 HDF5 schema 1.00 ."
        with open(self.path, "r+b") as file:
            file.write(head.ljust(116, b" ") + bytes(8) + struct.pack("<H", 0x0200) + b"IM")


def attributes(name, names=NAMES, labels=LABELS, **options):
    Mat73(name).cell("AttrName", names).cell("name", IMAGES).double("label", labels, **options).close()


def indices(name, train, test):
    mat = Mat73(name)
    for side, images in [("train", train), ("test", test)]:
        if images is not None:
            mat.double(f"indices_img_{side}", np.array([images]).T)
    mat.close()


attributes("lfwa_attributes.mat", compress=True)
# Names in reverse, reversed dimensions.
attributes("lfwa_transposed.mat", names=NAMES[::-1], labels=LABELS[:, ::-1].T)
two = LABELS.copy()
two[3, 20] = 2
attributes("lfwa_label_two.mat", labels=two)
attributes("lfwa_label_short.mat", labels=LABELS[:5])
attributes("lfwa_attribute_unknown.mat", names=NAMES[:39] + ["Tall"])
Mat73("lfwa_no_label.mat").cell("AttrName", NAMES).cell("name", IMAGES).close()
Mat73("lfwa_no_name.mat").cell("AttrName", NAMES[:2]).double("label", LABELS).close()
Mat73("lfwa_name_numbers.mat").cell("AttrName", NAMES).double("name", LABELS).double("label", LABELS).close()
scipy.io.savemat(os.path.join(HERE, "lfwa_version_5.mat"), {"label": LABELS}, do_compression=True)
with open(os.path.join(HERE, "lfwa_version_5.mat"), "r+b") as file:
    file.write(b"MATLAB 5.0 MAT-file, written by scipy".ljust(116, b" "))

indices("lfwa_indices.mat", [1, 2, 3], [4, 5, 6])
indices("lfwa_indices_outside.mat", [1, 2, 3], [4, 5, 7])
indices("lfwa_indices_zero.mat", [0, 1, 2], [3, 4, 5])
indices("lfwa_indices_fraction.mat", [1, 2.5, 3], [4, 5, 6])
indices("lfwa_indices_both.mat", [1, 2, 3], [3, 4, 5, 6])
indices("lfwa_indices_neither.mat", [1, 2, 3], [4, 6])
# A person in both halves.
indices("lfwa_indices_people.mat", [1, 2, 5], [3, 4, 6])
indices("lfwa_indices_no_test.mat", [1, 2, 3, 4, 5, 6], None)
