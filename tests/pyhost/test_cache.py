"""The cache: an entry exists whole or not at all, whatever happens to the process or to the file."""

import shutil
import subprocess
import sys
import time

import pytest

from pyhost.cosim.cache import cache_root, cached, content_key, source_digest
from pyhost.errors import BuildError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOATSOC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    """A build that counts, with what the cache said meanwhile."""

    def __init__(self):
        self.builds = 0
        self.said = []

    def __call__(self, directory):
        self.builds += 1
        (directory / "sub").mkdir()
        (directory / "sub" / "file").write_text("content")
        (directory / "other").write_bytes(bytes(1000))

    def get(self, key="key"):
        return cached("thing", key, self, self.said.append)


@pytest.fixture
def builder():
    return Builder()


def test_the_second_time_nothing_is_built(builder, root):
    first = builder.get()
    assert first == builder.get() == root / "thing" / "key"
    assert (first / "sub" / "file").read_text() == "content"
    assert builder.builds == 1
    assert builder.said == []


def test_keys_are_entries_of_their_own(builder):
    assert builder.get("one") != builder.get("two")
    assert builder.builds == 2


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda entry: (entry / "other").write_bytes(b"x"), "other was changed"),
        (lambda entry: (entry / "other").unlink(), "other is missing"),
        (lambda entry: shutil.rmtree(entry / "sub"), "sub/file is missing"),
        (lambda entry: (entry / "manifest.json").unlink(), "its manifest is missing or unreadable"),
        (lambda entry: (entry / "manifest.json").write_text("{"), "its manifest is missing or unreadable"),
        (lambda entry: (entry / "manifest.json").write_text("[1]"), "its manifest is missing or unreadable"),
    ],
)
def test_damage_is_said_in_one_line_and_repaired(builder, damage, what):
    entry = builder.get()
    damage(entry)
    assert builder.get() == entry
    assert builder.builds == 2
    assert builder.said == [f"cache entry {entry} is damaged ({what}): building it again"]
    assert (entry / "other").read_bytes() == bytes(1000)
    builder.get()
    assert builder.builds == 2


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing(error, root, builder):
    def build(directory):
        (directory / "half").write_text("half")
        raise error

    with pytest.raises(error):
        cached("thing", "key", build, print)
    assert [path.name for path in (root / "thing").iterdir() if path.suffix != ".lock"] == []
    builder.get()
    assert builder.builds == 1


def test_what_a_killed_process_left_is_swept_away(builder, root):
    remnant = root / "thing" / ".key.abc"
    (remnant / "half").mkdir(parents=True)
    other = root / "thing" / ".key2.abc"
    other.mkdir()
    builder.get()
    assert not remnant.exists()
    assert other.exists()  # may be in use: its lock is another


def test_two_processes_build_once(root, tmp_path):
    program = f"""
import time
from pathlib import Path
from pyhost.cosim.cache import cached
def build(directory):
    with Path({str(tmp_path / "builds")!r}).open("a") as file:
        file.write("built\\n")
    time.sleep(1)
    (directory / "file").write_text("content")
print(cached("thing", "key", build, print))
"""
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = sorted((process.communicate(timeout=60)[0] for process in processes), key=len)
    assert (tmp_path / "builds").read_text() == "built\n"
    assert outputs[0] == f"{root / 'thing' / 'key'}\n"
    assert outputs[1] == f"waiting for another process that builds the same thing\n{outputs[0]}"


def test_a_process_that_dies_lets_go_of_the_lock(builder, tmp_path):
    program = f"""
import time
from pathlib import Path
from pyhost.cosim.cache import cached
def build(directory):
    Path({str(tmp_path / "begun")!r}).touch()
    time.sleep(100)
cached("thing", "key", build, print)
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    entry = builder.get()
    assert builder.builds == 1
    assert {path.name for path in entry.parent.iterdir()} == {"key", "key.lock"}


def test_a_cache_that_cannot_be_written_is_an_error_that_helps(builder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOATSOC_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(BuildError, match=r"cannot write the cache .* set FLOATSOC_CACHE to another directory"):
        builder.get()


def test_root_is_the_platforms_unless_overridden(monkeypatch, tmp_path):
    monkeypatch.delenv("FLOATSOC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home" / "floatsoc"


def test_keys_depend_on_every_part_and_its_place():
    keys = [content_key(*parts) for parts in [("ab", "c"), ("a", "bc"), ("c", "ab"), ("abc",), ("ab", "c", "")]]
    assert len(set(keys)) == len(keys)
    assert content_key("ab", "c") == keys[0]


def test_sources_are_known_by_name_and_content(tmp_path):
    directory = tmp_path / "package"
    (directory / "__pycache__").mkdir(parents=True)
    (directory / "a.py").write_text("1")
    before = source_digest([directory])
    (directory / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert source_digest([directory]) == before
    (directory / "a.py").write_text("2")
    changed = source_digest([directory])
    (directory / "a.py").rename(directory / "b.py")
    assert len({before, changed, source_digest([directory])}) == 3
