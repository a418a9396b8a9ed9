from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from streams.bus.kafka_jars import cache_dir, fetch_jars, find_java, jars_dir
from streams.errors import BrokerStartFailed, MissingTool

FETCH = [sys.executable, "-c", "from streams.cli import main; main()"]
FETCH += ["broker", "fetch"]


def be_quiet(_step: str, _detail: str) -> None:
    """Take no notice of progress."""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_dir()


def test_an_interrupted_download_leaves_nothing_and_a_retry_completes_it(
    empty_cache: Path,
) -> None:
    fetch = subprocess.Popen(  # noqa: S603 - our own command line
        FETCH, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while fetch.poll() is None and not list(empty_cache.glob("kafka-*.part*/pom.xml")):
        time.sleep(0.01)
    fetch.send_signal(signal.SIGINT)
    output, _ = fetch.communicate(timeout=60)
    assert fetch.returncode != 0, output
    assert not jars_dir().exists()

    folder = fetch_jars(be_quiet)
    assert folder == jars_dir()
    assert list(empty_cache.glob("*.part*")) == []
    names = [jar.name for jar in folder.glob("*.jar")]
    assert any(name.startswith("kafka_2.13-4.3") for name in names)
    assert any(name.startswith("log4j-slf4j-impl-") for name in names)
    assert all(zipfile.is_zipfile(jar) for jar in folder.iterdir())


def test_jars_that_are_there_need_no_maven(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch_jars(be_quiet)
    monkeypatch.setenv("PATH", "")
    assert fetch_jars(be_quiet) == folder


@pytest.mark.usefixtures("empty_cache")
def test_without_maven_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingTool, match=r"no mvn .* install Maven \(Debian: maven"):
        fetch_jars(be_quiet)
    assert not jars_dir().exists()


def test_a_failed_download_gives_mavens_reason(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Maven reads MAVEN_ARGS only from 3.9 on; MAVEN_OPTS reaches every version.
    options = f"-Dmaven.repo.local={empty_cache / 'repository'} "
    options += "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1 "
    options += "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1"
    monkeypatch.setenv("MAVEN_OPTS", options)
    with pytest.raises(BrokerStartFailed, match=r"\[ERROR\].*`distillwatch broker"):
        fetch_jars(be_quiet)
    assert not jars_dir().exists()
    assert list(empty_cache.glob("*.part*")) == []


def test_without_java_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingTool, match=r"Java 17 or newer.*set JAVA_HOME"):
        find_java()


@pytest.mark.parametrize("told", ["1.8.0_402", "11.0.22"])
def test_a_java_that_is_too_old_is_refused(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{told}\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingTool, match=rf"{java} is Java (8|11); .*needs 17"):
        find_java()
