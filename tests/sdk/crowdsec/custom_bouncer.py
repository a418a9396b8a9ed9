"""Debian's crowdsec-custom-bouncer, a Go program that calls a script per decision."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple, Self

from filelock import FileLock

from streams.bus.kafka_jars import cache_dir

NAME = "crowdsec-custom-bouncer"
_SCRIPT = """#!/bin/sh
printf '%s\\t%s\\t%s\\t%s\\t%s\\n' "$@" >> "$0.calls"
"""


class NoBouncer(Exception):  # noqa: N818  it says what there is not
    """Neither the program nor the means to get it are here."""


def bouncer_program() -> Path:
    """Give the program: the system's own, or from Debian's package, kept in the cache.

    `NoBouncer` says what was tried, and what to do.
    """
    if installed := shutil.which(NAME):
        return Path(installed)
    kept = cache_dir() / NAME / NAME
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.parent / "lock"):
        if not kept.exists():
            _unpack(kept)
    return kept


def _unpack(target: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoBouncer(
            f"{NAME} is not installed, and this is not a Debian: install the program "
            f"of that name from crowdsecurity/cs-custom-bouncer, and put it on PATH"
        )
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        work = Path(folder)
        download = ["apt-get", "download", NAME]
        told = _run(download, work)
        if told.returncode != 0:  # a machine whose lists were never fetched
            _run(["apt-get", "update"], work)
            told = _run(download, work)
        packages = list(work.glob("*.deb"))
        if told.returncode != 0 or not packages:
            raise NoBouncer(
                f"apt-get download {NAME}: {told.stderr.strip()[-300:]}: put the "
                f"program on PATH, or let apt-get reach a mirror of Debian"
            )
        _run(["dpkg-deb", "-x", packages[0].name, "."], work).check_returncode()
        (work / "usr" / "bin" / NAME).replace(target)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  fixed commands of the system
        command, cwd=folder, capture_output=True, text=True, check=False
    )


class Call(NamedTuple):
    """What the bouncer called its script with."""

    verb: str
    value: str
    seconds: int
    scenario: str
    decision: str


class CustomBouncer:
    """A running bouncer; `calls` are what its script was called with so far."""

    def __init__(self, folder: Path, url: str, key: str, scopes: str) -> None:
        self._script = folder / "script"
        self._script.write_text(_SCRIPT)
        self._script.chmod(self._script.stat().st_mode | stat.S_IXUSR)
        settings = folder / "bouncer.yaml"
        settings.write_text(
            f"bin_path: {self._script}\n"
            f"piddir: {folder}\n"
            f"api_url: {url}\n"
            f"api_key: {key}\n"
            f"scopes: [{scopes}]\n"
            "update_frequency: 200ms\n"
            "cache_retention_duration: 100ms\n"
            "daemonize: true\n"
            "log_mode: stdout\n"
            "log_level: info\n"
            "prometheus:\n  enabled: false\n"
        )
        self._log = (folder / "bouncer.log").open("ab")
        self._process = subprocess.Popen(  # noqa: S603  the program found above
            [bouncer_program(), "-c", settings],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"HOME": str(folder)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    @property
    def exit_code(self) -> int | None:
        """Give None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """Read what it wrote."""
        return Path(self._log.name).read_text()

    def calls(self) -> list[Call]:
        """Read what the script was called with, in order."""
        written = self._script.with_name("script.calls")
        if not written.exists():
            return []
        rows = [line.split("\t") for line in written.read_text().splitlines()]
        return [Call(verb, val, int(sec), *rest) for verb, val, sec, *rest in rows]
