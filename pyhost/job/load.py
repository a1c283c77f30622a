"""Reading jobs: TOML and command-line changes in, a validated job or every problem with its place out."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pyhost.errors import JobError
from pyhost.job.models import Job
from pyhost.job.validate import Tables, merge, validate

__all__ = ["load_job", "parse_change"]


def load_job(path: str | Path | None = None, changes: Mapping[str, object] | None = None) -> Job:
    """The job of a TOML file, or the default job; `changes` ({'accelerator.rows': 4}) win over the file.

    A relative path in training.data is taken from the directory of the job file. Raises JobError that names every
    problem, one a line: file and line (or the change) it comes from, what was given, what is allowed.
    """
    tables: Tables = {}
    lines: dict[str, int] = {}
    if path is not None:
        path = Path(path)
        text = _read(path)
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise JobError(_toml_error(path, text, error)) from error
        lines = _lines(text)
        _resolve_data(tables, path.parent)
    changes = changes or {}

    def subject(name: str) -> str:
        """The name after where it was given: the change, or the line of the key or of the table it would stand in."""
        if name in changes:
            return f"--set {name}"
        line = lines.get(name, lines.get(name.rpartition(".")[0]))
        return f"{path}:{line}: {name}" if line else f"{path}: {name}" if path else name

    return validate(Job, merge(tables, changes), subject)


def parse_change(text: str) -> tuple[str, object]:
    """('accelerator.rows', 4) from 'accelerator.rows=4'. The value is TOML; what is not TOML is a string."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not re.fullmatch(r"\w+\.\w+", name):
        raise JobError(f"--set {text}: expected TABLE.KEY=VALUE, like accelerator.rows=4")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise JobError(f"{path}: no such job file (without one, the default job runs)") from error
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not a text file in UTF-8, so not TOML") from error
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from error


def _toml_error(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
    if not match:
        return f"{path}: not valid TOML: {error}"
    return f"{path}:{match[2] or text.count(chr(10)) + 1}: not valid TOML: {match[1]}"


def _lines(text: str) -> dict[str, int]:
    """Line of each table and of each key: tomllib keeps none. Keys are found where a job file has them, one a line."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = header[1].strip("\"'")
            lines.setdefault(table, number)
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            name = re.sub(r"[\"']", "", key[1])
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _resolve_data(tables: Tables, directory: Path) -> None:
    training = tables.get("training")
    if isinstance(training, dict) and isinstance(data := training.get("data"), str) and (directory / data).exists():
        training["data"] = str(directory / data)
