"""Files as they are published, small and made up: rooms of a tilted floor and a wall, seen by NYU's camera."""

import h5py
import numpy as np

from gradnorm.datasets.by_path.nyuv2 import CAMERA
from gradnorm.datasets.scenes.normals import Camera

NAMES = ("book", "bottle", "cabinet", "ceiling", "chair", "table lamp", "floor", "wall", "unknown")
SIZE = (96, 128)


def plane(normal, distance, size=SIZE, camera=None):
    """Return unit normal and depth map of the plane n·P = −distance, ∞ where it is not seen."""
    camera = camera or CAMERA.scaled(size[1] / 640, size[0] / 480)
    normal = np.asarray(normal, float) / np.linalg.norm(normal)
    v, u = np.indices(size)
    along = normal[0] * (u - camera.cx) / camera.fx + normal[1] * (v - camera.cy) / camera.fy + normal[2]
    with np.errstate(divide="ignore"):
        depth = -distance / along
    return normal, np.where(depth > 0, depth, np.inf)


def room(index, size=SIZE, camera: Camera | None = None):
    """Return depth [H, W], true normals [3, H, W] and labels of a wall and a floor (8 and 7 of NAMES)."""
    wall, far = plane((0.1 * (index % 6), 0, -1), 3 + 0.1 * (index % 6), size, camera)
    floor, near = plane((0, -1, -0.05), 1.3, size, camera)
    on_floor = near < far
    normals = np.where(on_floor, floor[:, None, None], wall[:, None, None])
    return np.minimum(near, far).astype(np.float32), normals, np.where(on_floor, 7, 8).astype(np.uint16)


def pictures(count, size=SIZE):
    """Return images [N, 3, H, W], depths [N, H, W] and labels [N, H, W]; the first rows are not labelled."""
    rooms = [room(i, size) for i in range(count)]
    labels = np.stack([r[2] for r in rooms])
    labels[:, : size[0] // 6] = 0
    images = np.random.default_rng(0).integers(0, 256, (count, 3, *size), np.uint8)
    return images, np.stack([r[0] for r in rooms]), labels


def write_nyu(path, count=5, size=SIZE, names=NAMES, **other):
    """Write a labelled file as MATLAB does: axes reversed, names by reference, a user block, keys beside."""
    images, depths, labels = pictures(count, size)
    arrays = {"images": images, "depths": depths, "labels": labels, **other}
    with h5py.File(path, "w", userblock_size=512) as file:
        for key, values in arrays.items():
            if values is not None:
                file.create_dataset(
                    key, data=np.ascontiguousarray(np.swapaxes(values, -1, -2)), compression="gzip", compression_opts=1
                )
        group = file.create_group("#refs#")
        references = []
        for i, name in enumerate(names):
            letters = np.array([[ord(c)] for c in name], np.uint16)
            references.append(group.create_dataset(str(i), data=letters).ref)
        file.create_dataset("names", data=np.array([references], h5py.ref_dtype), dtype=h5py.ref_dtype)
        file["accelData"] = np.zeros((4, count))
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(512))


def write_mtan(folder, train=4, val=2, size=(18, 24)):
    """Write the folder that MTAN distributes."""
    for split, count in (("train", train), ("val", val)):
        images, depths, labels = pictures(count, size)
        for i in range(count):
            for part, values in {
                "image": images[i].transpose(1, 2, 0) / 255,
                "label": labels[i].astype(np.float32) - 1,
                "depth": depths[i][..., None],
                "normal": room(i, size)[1].transpose(1, 2, 0),
            }.items():
                (folder / split / part).mkdir(parents=True, exist_ok=True)
                np.save(folder / split / part / f"{i}.npy", values)
