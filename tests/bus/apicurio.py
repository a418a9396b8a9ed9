"""A real schema registry for tests: Apicurio, in memory, with Confluent's API."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from filelock import FileLock

from streams.bus.kafka_jars import cache_dir, find_java

__all__ = ["Apicurio"]

VERSION = "2.6.13.Final"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
_START_TIMEOUT = 90.0  # s; 4 s on an idle machine


class Apicurio:
    """One registry process on a port of 127.0.0.1, empty at its start."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        self._log = folder / "registry.log"
        (runner,) = _fetch().glob("*-runner.jar")
        options = ["-Xmx256m", f"-Dquarkus.http.port={port}"]
        options += ["-Dquarkus.http.host=127.0.0.1"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [find_java(), *options, "-jar", str(runner)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = SchemaRegistryClient({"url": self.url})

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait()

    def register(self, subject: str, avro: str) -> int:
        """Register a schema given as JSON and return its id."""
        schema_id: Any = self.client.register_schema(subject, Schema(avro, "AVRO"))
        assert isinstance(schema_id, int)
        return schema_id

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it take connections and answer nothing, as one in trouble does."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/subjects").close()  # noqa: S310 - loopback
                return
            time.sleep(0.1)
        raise AssertionError(f"no registry: {self._log.read_text('utf-8')[-2000:]}")


def _fetch() -> Path:
    """Return the folder of Apicurio, downloaded once into distillwatch's cache."""
    target = cache_dir() / f"apicurio-{VERSION}"
    cache_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir() / "apicurio.lock"):
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=cache_dir()) as work:
            _download(Path(work))
            (archive,) = Path(work).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(Path(work) / "out", filter="data")
            (Path(work) / "out").rename(target)
    return target


def _download(folder: Path) -> None:
    shown = sys.__stderr__ or sys.stderr
    mvn = shutil.which("mvn")
    assert mvn, "Apicurio comes from Maven Central: install Maven (Debian: maven)"
    print(f"Downloading Apicurio Registry {VERSION} (142 MB)", file=shown, flush=True)
    # Without --batch-mode Maven shows how far it is.
    subprocess.run(  # noqa: S603 - the path comes from which()
        [
            *(mvn, "--strict-checksums", "dependency:copy"),
            *(f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=shown,
        cwd=folder,
        check=True,
    )
