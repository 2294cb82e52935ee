"""The kernel's work in C, built with clang -O3 -march=native: the limit that it is measured by."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_suffix(".c")


def built(*flags):
    """Compile it; return a function with the arguments of `kernels.simulate`, giving equity."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernel.so"
        command = ["clang", "-O3", "-march=native", *flags, "-shared", "-fPIC", "-o", library]
        subprocess.run([*command, SOURCE, "-lm"], check=True)
        native = ctypes.CDLL(str(library)).simulate

    def simulate(seen, closes, fills, due, parameters, terms):
        moves, z, z_bin, range_bin, last, lean, equal, booked = seen
        bars, count = closes.shape
        lanes = parameters.shape[1]
        made = [np.empty((bars, lanes)) for _ in range(3)]
        arrays = [z, moves, z_bin, range_bin, last, lean, equal, booked, closes, fills, due]
        arrays += [parameters, terms, *made]
        native(ctypes.c_long(bars), ctypes.c_long(count), *(pointer(each) for each in arrays))
        return made[0]

    return simulate


def pointer(array):
    """The address of an array's first number."""
    if not array.flags.c_contiguous:
        raise ValueError("an array for C is in one piece")
    return array.ctypes.data_as(ctypes.c_void_p)
