"""Measure a bridge: startup pulls of many decisions, memory, a pull without changes.

Prints and asserts nothing. Run: python tests/sdk/crowdsec/bridge_bench.py [ACTIONS]
with a broker of its own, on free ports.
"""

# ruff: noqa: T201  printing is what a benchmark does

from __future__ import annotations

import concurrent.futures
import http.client
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from view_bench import publish

from streams.bus.broker import DevBroker
from streams.bus.topics import apply_topics

KEY = "0123456789abcdef"
PORT = 29_873
AT_ONCE = 20  # bouncers that start at the same time
QUIET = 200  # pulls without changes


class Peak(threading.Thread):
    """Watch the resident memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self.bytes = 0

    def run(self) -> None:
        """Look a hundred times a second."""
        while not self._done.wait(0.01):
            self.bytes = max(self.bytes, self._process.memory_info().rss)

    def stop(self) -> int:
        """Give the largest value seen."""
        self._done.set()
        self.join()
        return self.bytes


def pull(name: str, startup: str) -> tuple[int, int, float]:
    """Give status, bytes and seconds of a pull; the answer is not kept."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=600)
    try:
        path = f"/v1/decisions/stream?scopes=account&startup={startup}"
        connection.request("GET", path, headers={"X-Api-Key": name + KEY})
        answer = connection.getresponse()
        size = 0
        while piece := answer.read(1 << 16):
            size += len(piece)
        return answer.status, size, time.perf_counter() - began
    except OSError:
        return 0, 0, 0.0
    finally:
        connection.close()


def measure(pid: int, bouncers: int) -> str:
    """Let so many bouncers start at once, and tell time, CPU and memory."""
    process = psutil.Process(pid)
    before, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
    peak = Peak(pid)
    peak.start()
    with concurrent.futures.ThreadPoolExecutor(bouncers) as pool:
        done = list(pool.map(lambda n: pull(f"b{n}", "true"), range(bouncers)))
    grown = peak.stop() - before
    used = sum(process.cpu_times()[:2]) - cpu
    size, seconds = done[0][1] / 1e6, max(each[2] for each in done)
    return (
        f"{bouncers} at once: {size:.0f} MB each, last after {seconds:.2f} s, "
        f"{used / bouncers:.2f} s of CPU each, {grown / 1e6:.0f} MB more memory"
    )


def main(count: int) -> None:
    """Measure with so many actions."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        names = [f"b{number}" for number in range(AT_ONCE)]
        keys.write_text("".join(f"{name}:{name}{KEY}\n" for name in names))
        broker = DevBroker(29_871, 29_872, Path(folder) / "broker")
        try:
            bootstrap = broker.up()
            apply_topics(bootstrap)
            publish(bootstrap, count)
            command = [sys.executable, "-c", "from streams.cli import main; main()"]
            command += ["bridge", "crowdsec", "--listen", f"127.0.0.1:{PORT}"]
            command += ["--api-key-file", str(keys), "--bootstrap", bootstrap]
            began = time.perf_counter()
            with subprocess.Popen(command) as bridge:  # noqa: S603  our own command
                while pull("b0", "true")[0] != 200:
                    time.sleep(0.2)
                print(f"loaded {count:,} in {time.perf_counter() - began:.1f} s")
                resident = psutil.Process(bridge.pid).memory_info().rss
                print(f"resident {resident / 1e6:.0f} MB")
                for bouncers in (1, 1, AT_ONCE):
                    print(measure(bridge.pid, bouncers))
                quiet = [pull("b0", "false")[2] for _ in range(QUIET)]
                print(f"no change: median {statistics.median(quiet) * 1e3:.1f} ms")
                bridge.terminate()
        finally:
            broker.down(wipe=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
