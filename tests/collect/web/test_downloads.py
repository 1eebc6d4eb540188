"""Downloads: for admins alone, the files that the command line writes, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from heedful.collect.exchange.export import export
from heedful.collect.exchange.wish import Wish
from heedful.collect.settings import Settings
from heedful.collect.store.project import Project
from heedful.collect.web import downloads
from tests.collect.making import a_person, an_item
from tests.collect.speaking import say


@pytest.fixture
def settings() -> Settings:
    return Settings(flags=("unsafe", "<b>rude</b>"))


@pytest.fixture
def filled(project: Project) -> Project:
    with project.database.write() as connection:
        ann, bob = a_person(connection, "Ann A."), a_person(connection, "Bob B.")
        one, two = an_item(connection, prompt="one?"), an_item(connection, prompt="two?")
        say(connection, ann, one, verdict="a")
        say(connection, bob, one, verdict="b", flags=("unsafe",))
        say(connection, ann, two, verdict="b")
    return project


@pytest.fixture
def admin(filled: Project, sign_in: Callable[..., TestClient]) -> TestClient:
    return sign_in("ada", "admin")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("path", ["/downloads", "/downloads/file", "/downloads/counts"])
def test_nobody_but_an_admin_gets_votes(
    filled: Project, sign_in: Callable[..., TestClient], path: str
) -> None:
    for role in ("annotator", "reviewer"):  # a reviewer is to decide before they see what others said
        client = sign_in(role, role)
        refused = client.get(path)
        assert (role, refused.status_code) == (role, 403)
        assert "/downloads" not in client.get("/mine").text
    client.cookies.clear()
    stranger = client.get(path)
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("what", ["judgements", "records", "votes", "preferences"])
def test_a_download_is_the_file_that_the_command_writes(
    filled: Project, admin: TestClient, tmp_path: Path, temporary: Path, what: str
) -> None:
    made = export(filled, tmp_path / "out.jsonl", Wish(what=what))  # type: ignore[arg-type]
    got = admin.get("/downloads/file", params={"what": what})

    assert got.status_code == 200
    assert got.content == (tmp_path / "out.jsonl").read_bytes()
    assert got.headers["content-disposition"] == f'attachment; filename="{what}-{made.until}.jsonl"'
    assert got.headers["content-length"] == str(len(got.content))
    assert got.headers["cache-control"] == "no-store"
    assert list(temporary.iterdir()) == []


def test_every_kind_of_file_can_be_had(admin: TestClient) -> None:
    def got(ending: str) -> bytes:
        answer = admin.get("/downloads/file", params={"what": "votes", "ending": ending})
        assert answer.headers["content-type"] == downloads.TYPES[ending]  # type: ignore[index]
        assert f".{ending}" in answer.headers["content-disposition"]
        return answer.content

    plain = got("jsonl")
    assert gzip.decompress(got("jsonl.gz")) == plain
    assert json.loads(got("json")) == [json.loads(line) for line in plain.splitlines()]
    assert got("csv").count(b"\r\n") == got("tsv").count(b"\r\n") == 4
    assert pq.read_table(io.BytesIO(got("parquet"))).num_rows == 3


def test_the_form_says_how(admin: TestClient) -> None:
    trl = admin.get("/downloads/file", params={"to": "trl", "ties": "drop", "until": "3"}).text
    assert [set(json.loads(line)) >= {"prompt", "chosen", "rejected"} for line in trl.splitlines()] == [True]
    named = admin.get(
        "/downloads/file", params={"what": "judgements", "pseudonyms": "true", "to": "trl"}
    ).text
    assert "Ann A." not in named
    assert named.count("annotator-") == 3
    few = admin.get("/downloads/file", params={"min_votes": "2"}).text
    assert few.count("\n") == 1
    clean = admin.get("/downloads/file", params={"what": "votes", "without_flagged": ["unsafe"]}).text
    assert clean.count("\n") == 1


def test_what_a_file_would_hold_can_be_counted_first(admin: TestClient, temporary: Path) -> None:
    got = admin.get(
        "/downloads/counts", params={"what": "votes", "to": "openai-preference", "min_votes": "2"}
    )

    assert got.status_code == 200
    assert "3 rows of votes" in got.text
    assert "3 votes and adjudications read, 3 used" in got.text
    assert "metadata.annotator 3" in got.text
    link = 'href="/downloads/file?what=votes&amp;to=openai-preference&amp;ending=jsonl'
    assert link in got.text
    assert "until=3" in got.text
    assert list(temporary.iterdir()) == []


def test_the_page_holds_what_was_asked_and_escapes_what_is_not_its_own(admin: TestClient) -> None:
    plain = admin.get("/downloads").text
    assert 'value="preferences" checked' in plain
    assert "<b>rude</b>" not in plain
    assert "&lt;b&gt;rude&lt;/b&gt;" in plain

    asked = admin.get(
        "/downloads/counts", params={"what": "votes", "with_gold": "true", "ending": "csv"}
    ).text
    assert 'value="votes" checked' in asked
    assert 'name="with_gold" value="true" checked' in asked
    assert '<option value="csv" selected>' in asked


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({"what": "everything"}, 422, ""),
        ({"ending": "../../etc/passwd"}, 422, ""),
        ({"min_votes": "0"}, 422, ""),
        ({"until": "1; DROP TABLE judgements"}, 422, ""),
        ({"until": "99"}, 400, "the log ends with row 3; there is no row 99."),
        ({"to": "arena"}, 400, "is read but not written"),
        ({"to": "<script>"}, 400, "there is no format &#34;&lt;script&gt;&#34;."),
        ({"without_flagged": "nothing"}, 400, "the project has no flag"),
    ],
)
def test_what_cannot_be_is_explained(
    admin: TestClient, temporary: Path, wish: dict[str, str], status: int, said: str
) -> None:
    for path in ("/downloads/file", "/downloads/counts"):
        got = admin.get(path, params=wish)
        assert got.status_code == status
        assert said in got.text
        assert str(temporary) not in got.text
    assert list(temporary.iterdir()) == []


def test_one_export_is_made_at_a_time(admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PATIENCE", 0.0)
    with downloads._ONE:
        busy = admin.get("/downloads/file")
    assert busy.status_code == 503
    assert admin.get("/downloads/file").status_code == 200
