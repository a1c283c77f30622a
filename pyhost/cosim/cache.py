"""What was built, stored by content: the same inputs give the same directory, and building happens once.

An entry is a directory `ROOT/KIND/KEY` with a manifest of the SHA-256 of each file. It is built in a
sibling directory and renamed when it is complete, under a lock: an entry exists whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from pyhost.errors import BuildError

__all__ = ["cache_root", "cached", "content_key", "source_digest"]

_MANIFEST = "manifest.json"
_SOURCE_SUFFIXES = {".py", ".v", ".vlt", ".cpp", ".hpp", ".c", ".h", ".S", ".ld"}


def cache_root() -> Path:
    """The directory of everything built: $FLOATSOC_CACHE, or the platform's cache folder."""
    override = os.environ.get("FLOATSOC_CACHE")
    return Path(override).absolute() if override else user_cache_path("floatsoc")


def content_key(*parts: str) -> str:
    """Name of an entry: a hash of all that goes into it (24 hexadecimal digits). Order matters."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()[:24]


def source_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of source files, and of the source files below directories: their names and contents."""
    digest = hashlib.sha256()
    for path in paths:
        for file in _sources(path) if path.is_dir() else [path]:
            name = file.relative_to(path.parent).as_posix()
            digest.update(f"{name}\0{_sha256(file)}\n".encode())
    return digest.hexdigest()


def cached(kind: str, key: str, build: Callable[[Path], None], progress: Callable[[str], None]) -> Path:
    """The directory of entry `key` of `kind`, made by `build(directory)` unless it is there already.

    A damaged entry is reported through `progress` in one line and built again. If `build` raises,
    or the process is interrupted, nothing of the entry remains. Two processes that want the
    same entry build it once. Raises BuildError if the cache cannot be written.
    """
    entry = cache_root() / kind / key
    with _locked(entry, progress):
        if entry.exists():
            damage = _damage(entry)
            if damage is None:
                return entry
            progress(f"cache entry {entry} is damaged ({damage}): building it again")
            shutil.rmtree(entry)
        _build(entry, build)
    return entry


@contextmanager
def _locked(entry: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `entry`, saying so if another process has it."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(entry.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(f"waiting for another process that builds the same {entry.parent.name}")
            lock.acquire()
    except OSError as error:
        reason = error.strerror or error
        raise BuildError(
            f"cannot write the cache {cache_root()} ({reason}); set FLOATSOC_CACHE to another directory"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _build(entry: Path, build: Callable[[Path], None]) -> None:
    for remnant in entry.parent.glob(f".{entry.name}.*"):  # of a process that was killed: the lock is ours
        shutil.rmtree(remnant)
    work = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        build(work)
        files = {file.relative_to(work).as_posix(): _sha256(file) for file in sorted(work.rglob("*")) if file.is_file()}
        (work / _MANIFEST).write_text(json.dumps(files, indent=1))
        work.chmod(0o755)
        work.rename(entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _damage(entry: Path) -> str | None:
    """What is wrong with an entry, or None."""
    try:
        files = json.loads((entry / _MANIFEST).read_text())
    except (OSError, ValueError):
        files = None
    if not isinstance(files, dict):
        return "its manifest is missing or unreadable"
    for name, expected in files.items():
        file = entry / name
        if not file.is_file():
            return f"{name} is missing"
        if _sha256(file) != expected:
            return f"{name} was changed"
    return None


def _sources(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.suffix in _SOURCE_SUFFIXES and file.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
