"""A local Ray in processes of its own: in the process of the tests, Ray would leave processes that Python warns of."""

import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.limits import LAST_RESORT

#: ports that Ray would otherwise learn from its processes, for which it waits only 15 seconds
PORTS = (
    "port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in opened:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in opened]


#: Ray ends where its own processes take more than 15 or 30 seconds to start, as on a busy machine
ATTEMPTS = 20


@contextmanager
def local_ray() -> Iterator[str]:
    """The address of a Ray of two workers. Environment variables let the processes of this test connect to it, and no others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        with _started() as address:
            yield address


@contextmanager
def _started() -> Iterator[str]:
    for _ in range(ATTEMPTS):
        ports = free_ports(len(PORTS))
        command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--num-cpus=2"]
        command += ["--include-dashboard=false", "--disable-usage-stats"]
        command += [f"--{name}={port}" for name, port in zip(PORTS, ports)]
        quiet = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
        quiet.pop("PYTHONPYCACHEPREFIX", None)  # Ray's own bytecode is compiled already
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=quiet
        ) as running:
            assert running.stdout
            said = ""
            for line in running.stdout:
                said += line
                if "Ray runtime started" in line:
                    break
            else:
                assert "timed out" in said or "Timed out" in said, said
                continue
            try:
                host = re.search(r"Local node IP: (\S+)", said)
                assert host
                yield f"{host[1]}:{ports[0]}"
            finally:
                running.terminate()
                running.stdout.read()
                running.wait(LAST_RESORT)
            return
    raise AssertionError(said)
