"""Fetch the jars of Apache Kafka once into the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import platformdirs
from filelock import FileLock

from streams.errors import BrokerStartFailed, MissingTool

__all__ = ["Progress", "cache_dir", "fetch_jars", "find_java", "jars_dir", "resource"]

Progress = Callable[[str, str], None]
"""Called with a step and its detail; the same step comes again as it gets on."""

MINIMUM_JAVA = 17  # Kafka 4's own floor for a broker
_MAVEN_DOWNLOADED = re.compile(r"Downloaded from [^:]+: \S+/(\S+\.jar) ")
_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def cache_dir() -> Path:
    """Return the user's cache folder of distillwatch (``XDG_CACHE_HOME`` is obeyed)."""
    return Path(platformdirs.user_cache_dir("distillwatch", appauthor=False))


def resource(name: str) -> str:
    """Return the text of one file that ships with the development broker."""
    return (resources.files("streams.bus") / "kafka" / name).read_text("utf-8")


def jars_dir() -> Path:
    """Return the folder of the jars; its name changes with any change of the pom.

    It exists only when it is complete.
    """
    pom = resource("pom.xml")
    digest = hashlib.sha256(pom.encode()).hexdigest()[:8]
    return cache_dir() / f"kafka-{_kafka_version(pom)}-{digest}"


def find_java() -> str:
    """Return the path of a Java that can run the broker.

    ``JAVA_HOME`` comes before ``PATH``. Raises `MissingTool` when there is no Java, or
    one that is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise MissingTool(
            f"the development broker needs Java {MINIMUM_JAVA} or newer, and no java "
            "is on the PATH; install one (Debian: openjdk-17-jre-headless, macOS: "
            "brew install openjdk@17) or set JAVA_HOME"
        )
    told = subprocess.run(  # noqa: S603 - the path comes from which()
        [java, "-version"], capture_output=True, text=True, check=False
    ).stderr
    found = _JAVA_VERSION.search(told)
    if found is None or int(found[1]) < MINIMUM_JAVA:
        raise MissingTool(
            f"{java} is Java {found[1] if found else 'of unknown version'}; the "
            f"development broker needs {MINIMUM_JAVA} or newer: install it or point "
            "JAVA_HOME to it"
        )
    return java


def fetch_jars(progress: Progress) -> Path:
    """Return the folder with Kafka's jars, downloading them if they are not there.

    The download goes to a folder beside it that is renamed when it is complete, so an
    interrupted one leaves nothing that looks finished; Maven keeps what it already has,
    so a retry goes on from there. Raises `MissingTool` without Maven and
    `BrokerStartFailed` when the download fails.
    """
    target = jars_dir()
    if target.is_dir():
        return target
    cache_dir().mkdir(parents=True, exist_ok=True)
    step = f"Downloading Apache Kafka {_kafka_version(resource('pom.xml'))} (44 MB)"
    progress(step, "")
    with FileLock(cache_dir() / "jars.lock"):
        if target.is_dir():  # another process was faster
            return target
        mvn = shutil.which("mvn")
        if mvn is None:
            raise MissingTool(
                "the development broker fetches Kafka's jars from Maven Central, and "
                "no mvn is on the PATH; install Maven (Debian: maven, macOS: "
                "brew install maven)"
            )
        for leftover in cache_dir().glob(f"{target.name}.part*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{target.name}.part", dir=cache_dir()))
        try:
            _run_maven(mvn, work, lambda detail: progress(step, detail))
            (work / "lib").rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _kafka_version(pom: str) -> str:
    found = re.search(r"<kafka\.version>([\d.]+)<", pom)
    if found is None:
        raise BrokerStartFailed("streams/bus/kafka/pom.xml has no kafka.version")
    return found[1]


def _run_maven(mvn: str, work: Path, progress: Callable[[str], None]) -> None:
    (work / "pom.xml").write_text(resource("pom.xml"), "utf-8")
    command = [mvn, "--batch-mode", "--strict-checksums", "-f", str(work / "pom.xml")]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-DoutputDirectory={work / 'lib'}"]
    errors: list[str] = []
    jars = 0
    with subprocess.Popen(  # noqa: S603 - the path comes from which()
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                if found := _MAVEN_DOWNLOADED.search(line):
                    jars += 1
                    progress(f"{jars} jars, {found[1]}")
                elif line.startswith("[ERROR]"):
                    errors.append(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        reason = errors[0] if errors else f"exit code {process.returncode}"
        raise BrokerStartFailed(
            f"Maven could not fetch Kafka's jars: {reason}; once the network is there, "
            "`distillwatch broker fetch` goes on where it stopped"
        )
