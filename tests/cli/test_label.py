from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.control_log import read_entries
from streams.cli.label import read_labels
from streams.errors import InvalidRecord

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_labels_of_each_author_stand(topics: str, invoke: Invoke) -> None:
    at = ("--bootstrap", topics)
    ana, ben = ("--author", "ana"), ("--author", "ben")
    code, out, err = invoke(
        "label", "account:7", "--benign", "--why", "a lab", *ana, *at
    )
    assert (code, err) == (0, "")
    assert out.startswith("account:7 is labelled benign: what stands against it is rel")
    assert "Undo: distillwatch withdraw label:account:7:ana --why" in out
    said = ("--distillation", "--why", "seen elsewhere")
    assert invoke("label", "account:7", *said, *ben, *at)[0] == 0
    assert invoke("label", "account:7", *said, *ana, *at)[0] == 0
    entries = read_entries(topics)
    assert {key: each.value for key, each in entries.items()} == {
        "label:account:7:ben": "distillation",
        "label:account:7:ana": "distillation",
    }


@pytest.mark.broker
def test_a_file_of_labels_is_written_as_a_whole(
    topics: str, invoke: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    lines = [f'account:{n},benign,"a lab, known"' for n in range(1000)]
    lines.append("campaign:dc-1,distillation,confirmed")
    path.write_text("\n".join(["subject,label,why", *lines]))
    at = ("--bootstrap", topics, "--author", "ana")
    code, out, err = invoke("label", "--file", str(path), *at)
    assert (code, err) == (0, "")
    assert out.startswith("1,001 labels: 1,000 benign, which releases those subjects, ")
    entries = read_entries(topics)
    assert len(entries) == 1001
    assert entries["label:account:999:ana"].reason == "a lab, known"
    assert entries["label:campaign:dc-1:ana"].value == "distillation"

    path.write_text("subject,label,why\naccount:new,benign,x\naccount:8,good,x\n")
    code, out, err = invoke("label", "--file", str(path), *at)
    assert (code, out) == (1, "")
    assert "labels.csv, line 3: label 'good' is none of benign, distillation" in err
    assert len(read_entries(topics)) == 1001


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the columns are not subject,label,why"),
        ("subject;label;why\n", "line 1: the columns are not"),
        ("subject,label,why\naccount:1,benign\n", "line 2: not 3 columns"),
        ("subject,label,why\naccount:1,benign,a,b\n", "line 2: not 3 columns"),
        ("subject,label,why\naccount:1,benign,\n", "line 2: a label needs a reason"),
        ("subject,label,why\nfoo:1,benign,x\n", "line 2: subject 'foo:1'"),
        (
            "subject,label,why\naccount:1,benign,x\naccount:1,distillation,x\n",
            "line 3: account:1 is labelled in line 2 already",
        ),
        ('subject,label,why\naccount:1,benign,"x\n', "not a CSV file in UTF-8"),
        ("\udcff", "not a CSV file in UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(InvalidRecord, match=told):
        read_labels(path, author="ana", created_at=0)


@given(st.binary(max_size=60))
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"subject,label,why\n" + content)
    try:
        entries = read_labels(path, author="ana", created_at=0)
    except InvalidRecord as error:
        assert "any.csv" in str(error)  # noqa: PT017  both outcomes are good
    else:
        assert len(entries) <= content.count(b"\n") + content.count(b"\r") + 1


def test_halves_of_a_label_are_told(invoke: Invoke, tmp_path: Path) -> None:
    for arguments in (
        ("account:7", "--why", "x"),
        ("account:7", "--benign", "--distillation", "--why", "x"),
        ("account:7", "--benign"),
        ("--benign", "--why", "x"),
    ):
        code, _, err = invoke("label", *arguments)
        assert code == 1
        assert "label SUBJECT --benign|--distillation --why TEXT" in err
    code, _, err = invoke("label", "account:7", "--file", "x.csv")
    assert code == 1
    assert "--file stands alone" in err
    code, _, err = invoke("label", "--file", str(tmp_path / "none.csv"))
    assert code == 1
    assert "none.csv is not a file" in err
