"""External tools: what is kept, what is said, and that nothing survives."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyhost.cosim.tools import ToolFailed, run_tool
from pyhost.errors import BuildError

# Starts a grandchild, writes its process number to a file, and waits.
PARENT = ["sh", "-c", "sleep 1000 & echo $! > grandchild; wait"]


def run(argv, cwd, **options):
    return run_tool(argv, cwd=cwd, purpose="doing something", **{"timeout": 30, **options})


def has_ended(process: int) -> bool:
    """Whether `process` is gone, or a zombie that nobody has waited for yet."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def wait_for(path: Path) -> str:
    for _ in range(100):
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


def test_output_is_what_the_tool_printed_on_both_streams(tmp_path):
    assert run(["sh", "-c", "echo one; echo two >&2"], tmp_path) == "one\ntwo\n"


def test_directory_and_environment(tmp_path):
    output = run(["sh", "-c", "pwd; echo $COLOUR"], tmp_path, environment={"COLOUR": "blue"})
    assert output == f"{tmp_path}\nblue\n"


def test_arguments_are_not_seen_by_a_shell(tmp_path):
    assert run(["echo", "$HOME; rm *"], tmp_path) == "$HOME; rm *\n"


def test_a_missing_tool_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"doing something: g\+\+ is missing; install .*apt install g\+\+"):
        run(["g++"], tmp_path)


def test_failure_quotes_the_first_error_and_keeps_the_output(tmp_path):
    with pytest.raises(ToolFailed) as caught:
        run(["sh", "-c", "echo a.c:1: Error: no; echo then; echo more errors; exit 3"], tmp_path)
    assert str(caught.value) == "doing something: sh failed (status 3): a.c:1: Error: no"
    assert caught.value.output == "a.c:1: Error: no\nthen\nmore errors\n"
    assert caught.value.exit_status == 3


def test_failure_without_an_error_quotes_the_last_line(tmp_path):
    with pytest.raises(ToolFailed, match=r"failed \(status 1\): last$"):
        run(["sh", "-c", "echo first; echo last; exit 1"], tmp_path)


def test_death_by_signal_is_named(tmp_path):
    with pytest.raises(ToolFailed, match=r"failed \(SIGSEGV\): no output"):
        run(["sh", "-c", "kill -SEGV $$"], tmp_path)


def test_time_limit_kills_the_whole_group(tmp_path):
    begin = time.monotonic()
    with pytest.raises(BuildError, match="sh was stopped after 1 seconds"):
        run(PARENT, tmp_path, timeout=1)
    assert time.monotonic() - begin < 10
    assert has_ended(int((tmp_path / "grandchild").read_text()))


def test_an_interrupt_while_a_tool_is_being_started_kills_it_too(tmp_path, monkeypatch):
    started = []

    class Interrupting(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self.pid)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupting)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "100"], tmp_path)
    assert has_ended(started[0])
    assert signal.getsignal(signal.SIGINT) is handler


def test_temporary_files_of_a_tool_that_is_killed_are_deleted(tmp_path):
    with pytest.raises(ToolFailed, match="stopped after"):
        run(["sh", "-c", 'touch "$TMPDIR/remnant"; echo "$TMPDIR" > where; sleep 100'], tmp_path, timeout=1)
    directory = Path((tmp_path / "where").read_text().strip())
    assert directory.name.startswith("floatsoc-")
    assert not directory.exists()


def test_interrupt_kills_the_whole_group(tmp_path):
    program = f"""
from pathlib import Path
from pyhost.cosim.tools import run_tool
run_tool({PARENT!r}, cwd=Path({str(tmp_path)!r}), timeout=100, purpose="waiting")
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    grandchild = int(wait_for(tmp_path / "grandchild"))
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    assert has_ended(grandchild)
