"""Labelled images for training: the shipped digits, Fashion-MNIST where installed, IDX files, .npz archives.

`digits.npz` holds scikit-learn's digits: 1,797 images of 8 by 8 with values 0 to 16, the test set of E. Alpaydin and
C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998), CC BY 4.0.
"""

import gzip
import zipfile
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhost.errors import JobError

__all__ = ["Dataset", "load_dataset"]

_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

_NPZ_NAMES = (("images", "labels"), ("x_train", "y_train"), ("x", "y"))
_IDX_IMAGES = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")

_LARGEST_LABEL = 65534
"""A layer has at most 65,535 outputs, one for each class."""


@dataclass(frozen=True)
class Dataset:
    """Images [count, height, width, channels] in [0, 1], float64, and labels [count] in 0 .. classes - 1."""

    name: str
    images: NDArray[np.float64]
    labels: NDArray[np.uint32]

    @property
    def classes(self) -> int:
        """One more than the largest label."""
        return int(self.labels.max()) + 1

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    def batch(self, size: int, step: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
        """Batch number `step`: epochs of whole batches, each epoch a permutation drawn from PCG64([seed, epoch]).

        Raises JobError when the data set is smaller than one batch.
        """
        per_epoch = len(self.labels) // size
        if not per_epoch:
            raise JobError(f"network.batch = {size}, but {self.name} has only {len(self.labels)} images")
        epoch, position = divmod(step, per_epoch)
        order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(self.labels))
        chosen = order[position * size : (position + 1) * size]
        return self.images[chosen], self.labels[chosen]


def load_dataset(source: str) -> Dataset:
    """The data set that `training.data` names: `digits`, `fashion-mnist`, or a path.

    A path is an .npz archive (arrays `images` and `labels`, or `x_train` and `y_train`) or an IDX image file (gzipped
    or not) with its label file beside it, as MNIST is published, or the directory of both. Integer images are divided
    by the largest value of their type's use (16 for digits, 255 for bytes), floating-point ones are taken as they are.
    Raises JobError.
    """
    if source == "digits":
        with as_file(files(__name__) / "digits.npz") as path, np.load(path) as arrays:
            return _dataset(source, arrays["images"] / 16, arrays["labels"])
    if source == "fashion-mnist":
        images = _FASHION_MNIST / "train-images-idx3-ubyte.gz"
        if not images.exists():
            raise JobError(
                f'training.data = "fashion-mnist" needs {images}: install Debian\'s package dataset-fashion-mnist, '
                "or give the path of the IDX files"
            )
        return _load_idx(source, images)
    path = Path(source)
    if not path.exists():
        raise JobError(
            f'training.data = "{source}": no such file; allowed are "digits", "fashion-mnist", and the path '
            "of an .npz archive or of an IDX image file"
        )
    if path.is_dir():
        path = _images_in(path)
    return _load_npz(path) if path.suffix == ".npz" else _load_idx(source, path)


def _images_in(directory: Path) -> Path:
    """MNIST's training images in `directory`."""
    for name in _IDX_IMAGES:
        if (images := directory / name).is_file():
            return images
    raise JobError(f"{directory}: a directory without {' or '.join(_IDX_IMAGES)}")


def _dataset(name: str, images: NDArray[np.floating], labels: NDArray[np.integer]) -> Dataset:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or labels.ndim != 1 or len(images) != len(labels) or not len(labels):
        raise JobError(
            f"{name}: images of shape {images.shape} and labels of shape {labels.shape}; "
            "expected [count, height, width] or [count, height, width, channels], and [count]"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise JobError(f"{name}: labels must be integers from 0, found {labels.dtype} down to {labels.min()}")
    if labels.max() > _LARGEST_LABEL:
        raise JobError(
            f"{name}: labels number the classes from 0 to {_LARGEST_LABEL:,} at most, found {labels.max():,}"
        )
    if images.dtype.kind not in "biuf":
        raise JobError(f"{name}: the images are {images.dtype}, expected real numbers")
    if not np.isfinite(images).all():
        raise JobError(f"{name}: the images hold infinities or NaNs")
    return Dataset(name, np.ascontiguousarray(images, np.float64), labels.astype(np.uint32))


def _load_npz(path: Path) -> Dataset:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for images, labels in _NPZ_NAMES:
                if images in arrays and labels in arrays:
                    pixels = arrays[images]
                    if pixels.dtype.kind in "iu":
                        pixels = pixels / np.iinfo(pixels.dtype).max
                    return _dataset(str(path), pixels, arrays[labels])
            found = ", ".join(arrays.files) or "nothing"
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise JobError(f"{path}: not a readable .npz archive ({error})") from error
    raise JobError(f"{path}: holds {found}; expected the arrays images and labels (or x_train and y_train)")


def _load_idx(name: str, path: Path) -> Dataset:
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == path or not labels.exists():
        raise JobError(f"{path}: its labels are expected beside it as {labels.name}, as MNIST is published")
    return _dataset(name, _read_idx(path, 3) / 255, _read_idx(labels, 1))


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes: magic 0, 0, 8, rank; big-endian extents; the bytes (LeCun's MNIST page)."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise JobError(f"{path}: cannot be read ({error})") from error
    head = 4 + 4 * dimensions
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) < head:
        raise JobError(f"{path}: not an IDX file of unsigned bytes with {dimensions} dimension(s)")
    shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", dimensions, 4))
    if len(data) - head != int(np.prod(shape, dtype=np.int64)):
        raise JobError(f"{path}: announces shape {shape} but holds {len(data) - head:,} bytes")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)
