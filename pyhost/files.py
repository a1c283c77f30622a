"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pyhost.errors import FloatsocError

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` when it has been written; until then, and on an error, all stays.

    Raises FloatsocError where `path` is no place for a file, OSError (a full disk) with its name where writing fails.
    """
    if path.exists() and not path.is_file():
        raise FloatsocError(f"cannot write {path}: it is {'a directory' if path.is_dir() else 'not a regular file'}")
    target = path.resolve()
    try:
        file = tempfile.NamedTemporaryFile(prefix=".unfinished-", dir=target.parent, delete=False)  # noqa: SIM115
    except OSError as error:
        raise FloatsocError(f"cannot write {path}: {target.parent}: {error.strerror or error}") from error
    try:
        with file:
            yield file
        os.chmod(file.name, target.stat().st_mode if target.exists() else 0o644)
        os.replace(file.name, target)
    except OSError as error:
        Path(file.name).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise
