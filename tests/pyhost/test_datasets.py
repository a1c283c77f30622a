"""Data sets: what is shipped, what a user may bring, and what is refused."""

import gzip

import numpy as np
import pytest

from pyhost.datasets import load_dataset
from pyhost.errors import JobError


def idx(array):
    """An IDX file of unsigned bytes, written from its published description."""
    array = np.asarray(array, np.uint8)
    return bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def test_digits():
    data = load_dataset("digits")
    assert data.images.shape == (1797, 8, 8, 1)
    assert (data.images.min(), data.images.max()) == (0, 1)
    assert data.classes == 10
    assert np.bincount(data.labels).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]


def test_batches_cover_an_epoch_without_repetition_and_differ_by_seed():
    data = load_dataset("digits")
    seen = [data.batch(100, step, 7)[1] for step in range(17)]
    order = np.concatenate([data.batch(100, step, 7)[0].reshape(100, -1) for step in range(17)])
    assert len(np.unique(order, axis=0)) == len(np.unique(data.images.reshape(1797, -1), axis=0)) - 97
    assert (data.batch(100, 17, 7)[1] != seen[0]).any()
    assert (data.batch(100, 0, 8)[1] != seen[0]).any()
    assert (data.batch(100, 0, 7)[1] == seen[0]).all()


def test_a_batch_larger_than_the_data():
    with pytest.raises(JobError, match=r"network.batch = 1798, but digits has only 1797"):
        load_dataset("digits").batch(1798, 0, 1)


@pytest.mark.parametrize("suffix, pack", [("", bytes), (".gz", gzip.compress)])
def test_idx_files(tmp_path, suffix, pack):
    pixels = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    (tmp_path / f"t-images-idx3-ubyte{suffix}").write_bytes(pack(idx(pixels)))
    (tmp_path / f"t-labels-idx1-ubyte{suffix}").write_bytes(pack(idx([4, 2])))
    data = load_dataset(str(tmp_path / f"t-images-idx3-ubyte{suffix}"))
    assert (data.images[..., 0] == pixels / 255).all()
    assert data.labels.tolist() == [4, 2]
    assert data.classes == 5
    assert data.image == (3, 4, 1)


@pytest.mark.parametrize("suffix, pack", [("", bytes), (".gz", gzip.compress)])
def test_the_directory_of_idx_files(tmp_path, suffix, pack):
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(idx(np.zeros((2, 3, 4)))))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx([4, 2])))
    assert load_dataset(str(tmp_path)).labels.tolist() == [4, 2]


@pytest.mark.parametrize("names", [("images", "labels"), ("x_train", "y_train")])
def test_npz(tmp_path, names):
    pixels = np.arange(2 * 3 * 3 * 2, dtype=np.float32).reshape(2, 3, 3, 2) / 100
    np.savez(tmp_path / "data.npz", **{names[0]: pixels, names[1]: np.array([0, 1])})
    data = load_dataset(str(tmp_path / "data.npz"))
    assert (data.images == pixels).all()
    assert data.image == (3, 3, 2)


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda d: d / "absent.npz", "no such file; allowed are"),
        (lambda d: write(d / "a.npz", z=np.zeros(3)), "holds z; expected the arrays images and labels"),
        (lambda d: write(d / "a.npz", images=np.zeros((2, 3)), labels=np.zeros(2, int)), r"images of shape \(2, 3\)"),
        (lambda d: write(d / "a.npz", images=np.zeros((2, 3, 3)), labels=np.zeros(3, int)), "labels of shape"),
        (lambda d: write(d / "a.npz", images=np.zeros((2, 3, 3)), labels=np.array([0, -1])), "integers from 0"),
        (lambda d: write(d / "a.npz", images=np.full((1, 2, 2), np.nan), labels=np.zeros(1, int)), "NaN"),
        (lambda d: write(d / "a.npz", images=np.zeros((1, 2, 2), complex), labels=np.zeros(1, int)), "real numbers"),
        (lambda d: write(d / "a.npz", images=np.zeros((1, 2, 2)), labels=np.array([65535])), "0 to 65,534 at most"),
        (lambda d: d, "a directory without train-images-idx3-ubyte"),
    ],
)
def test_what_is_refused(tmp_path, make, message):
    with pytest.raises(JobError, match=message):
        load_dataset(str(make(tmp_path)))


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (b"not idx at all", idx([1]), "not an IDX file"),
        (idx(np.zeros((2, 2, 2)))[:-1], idx([1, 2]), "announces shape"),
        (idx(np.zeros((2, 2, 2))), None, "its labels are expected beside it as t-labels-idx1-ubyte"),
    ],
)
def test_broken_idx_files(tmp_path, images, labels, message):
    path = tmp_path / "t-images-idx3-ubyte"
    path.write_bytes(images)
    if labels is not None:
        (tmp_path / "t-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(JobError, match=message):
        load_dataset(str(path))


def test_a_truncated_archive(tmp_path):
    path = tmp_path / "cut.npz"
    path.write_bytes(
        write(tmp_path / "whole.npz", images=np.zeros((2, 3, 3)), labels=np.zeros(2, int)).read_bytes()[:50]
    )
    with pytest.raises(JobError, match=r"not a readable .npz archive"):
        load_dataset(str(path))
