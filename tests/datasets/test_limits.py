"""What reading costs: hostile files are refused in seconds and little memory; a run on all of NYU fits in 4 GB."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from tests.datasets.files import SIZE, write_mtan, write_nyu

# VmHWM: the most memory of this very program; ru_maxrss would be that of the test run it was forked from, if larger.
PEAK = """
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
"""

# Every file is opened as a run would do it, in a process with 1 GB of addresses; torch is not needed for it.
REFUSE = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.by_path.mtan import MTAN, Folder
from gradnorm.datasets.scenes.nyu_splits import published
from gradnorm.datasets.by_path.nyuv2 import File, NYUv2
options = {"size": 32}
told = {}
for name in json.loads(sys.argv[1]):
    start = time.perf_counter()
    try:
        if name.endswith("_folder"):
            Folder(MTAN(path=name, **options), "train").scene(0)
        elif name.startswith("splits"):
            published(name, 5)
        else:
            File(NYUv2(path=name, **options)).scene(1)
        told[name] = ["read", 0]
    except DataError as error:
        told[name] = [str(error), time.perf_counter() - start]
print(json.dumps([told, peak()]))
"""

FILL = """
import sys
from gradnorm.datasets.by_path.nyuv2 import NYUv2
size, stride = sys.argv[2:]
source = NYUv2(path=sys.argv[1], size=int(size), output_stride=stride).load(0)
loaded = peak()
for step in range(1, 25):
    source.batch(step, 8)
test = sum(tensor.nbytes for tensor in (source.test.inputs, *source.test.targets))
print(loaded, peak(), test)
"""


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def claims(shape, kind="<f4"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64


def replaced(path, key, make):
    """Write a sound file but for one key."""
    write_nyu(path)
    with h5py.File(path, "r+") as file:
        del file[key]
        make(file)


def hostile(data):
    """Write all hostile files, and return what the refusal of each should say."""
    huge = {"shape": (5, SIZE[1], 1 << 40), "dtype": np.float32, "chunks": (1, 1, 1 << 10)}
    replaced(data / "huge.mat", "depths", lambda f: f.create_dataset("depths", **huge))
    zeros = {"shape": (5, 128, 96), "dtype": np.float32}
    replaced(
        data / "external.mat",
        "depths",
        lambda f: f.create_dataset("depths", **zeros, external=[("/etc/passwd", 0, 1 << 20)]),
    )
    layout = h5py.VirtualLayout((5, 128, 96), np.float32)
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (5, 128, 96))
    replaced(data / "virtual.mat", "depths", lambda f: f.create_virtual_dataset("depths", layout))
    replaced(data / "link.mat", "depths", lambda f: f.update({"depths": h5py.ExternalLink("/etc/passwd", "x")}))
    chunk = (1, 3, 1 << 14, 1 << 13)
    images = {"shape": (5, *chunk[1:]), "dtype": np.uint8, "chunks": chunk, "compression": "gzip"}
    replaced(data / "bomb.mat", "images", lambda f: f.create_dataset("images", **images))
    write_nyu(data / "nan.mat", depths=np.full((5, *SIZE), np.nan, np.float32))
    names = (1, 1 << 33)
    replaced(
        data / "names.mat",
        "names",
        lambda f: f.create_dataset("names", names, h5py.ref_dtype, chunks=(1, 1 << 10)),
    )
    savemat(data / "splits_bomb.mat", {"trainNdxs": np.zeros(1 << 22), "testNdxs": np.ones(2)}, do_compression=True)
    for kind, content in (("terabytes", claims("(1048576, 1048576, 3)")), ("pickled", claims("(18, 24, 3)", "|O"))):
        write_mtan(data / f"{kind}_folder")
        (data / f"{kind}_folder" / "train" / "image" / "0.npy").write_bytes(content)
    return {
        "huge.mat": "should have the shape",
        "external.mat": "in the file itself",
        "virtual.mat": "in the file itself",
        "link.mat": "in the file itself",
        "bomb.mat": "should hold what it declares",
        "nan.mat": "Picture 1 should have depths",
        "names.mat": "should hold what it declares",
        "splits_bomb.mat": "Found 0 … 0",
        "terabytes_folder": "image/0.npy should hold what its header claims",
        "pickled_folder": "image/0.npy should hold floating-point",
    }


def test_hostile_files_are_refused_in_seconds_and_in_little_memory(data):
    wanted = hostile(data)
    told, peak = json.loads(run(REFUSE, json.dumps(list(wanted))))
    for name, words in wanted.items():
        message, seconds = told[name]
        assert words in message, (name, message)
        assert message != "read", name
        assert seconds < 5, (name, seconds)
    assert peak < 1e9


LONG = pytest.mark.long


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stride", "train", "test"),
    [("4", 7, 5), pytest.param("4", 33, 27, marks=LONG), pytest.param("1", 33, 27, marks=LONG)],
)
def test_a_run_on_all_of_nyu_fits_in_4_gb(data, stride, train, test):
    """From what a small file of full pictures takes, what all 1,449 would take."""
    write_nyu(data / "a.mat", count=train + test, size=(480, 640))
    loaded, full, held = map(int, run(FILL, "a.mat", "320", stride).split())
    kept = min((full - loaded) / train * 795, 1.6e9)
    total = loaded + held / test * (654 - test) + kept
    print(f"{loaded / 1e9:.2f} GB loaded, {full / 1e9:.2f} full; of all of NYU {total / 1e9:.2f}")
    assert loaded + 0.9 * train * 2e6 < full
    assert total < 4e9
