"""The dashboard for those who may see it: what it says first, what it shows, and what can be taken along."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.project import Project
from heedful.collect.web import figure_files
from tests.collect.simulated import Habits, Vote, fill, of_many, right, team, verdicts

ADDRESSES = (
    "/dashboard",
    "/dashboard/figures.json",
    "/dashboard/annotators.csv",
    "/dashboard/plots/votes.svg",
)
PEOPLE = [
    *team(5, 0.9),
    Habits("lefty", left=0.95),
    Habits("hasty", fast=0.7),
    Habits("<b>Bobby</b> & <script>alert(1)</script>", 0.9),
]


@pytest.fixture
def settings() -> Settings:
    return Settings(overlap=3)


def filled(project: Project, people: Sequence[Habits] = PEOPLE, votes: Sequence[Vote] | None = None) -> None:
    votes = verdicts(people, items=120, overlap=3, seed=0) if votes is None else votes
    with project.database.write() as connection:
        fill(connection, people, votes, wanted=3, gold=lambda item: right(item) if item % 4 == 0 else None)


def heading(client: TestClient) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", client.get("/dashboard").text)
    assert found is not None
    return found[1].replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("address", ADDRESSES)
def test_reviewers_and_admins_see_it_and_annotators_do_not(project: Project, sign_in, address: str) -> None:
    filled(project)

    assert sign_in("ann").get(address).status_code == 403
    assert sign_in("rey", "reviewer").get(address).status_code == 200
    assert sign_in("ada", "admin").get(address).status_code == 200


def test_the_verdict_comes_first_in_words(project: Project, sign_in) -> None:
    client = sign_in("rey", "reviewer")
    assert heading(client) == "There are no items yet."

    filled(project)
    said = heading(client)
    assert re.match(
        r"All 360 votes are in; people agree moderately \(κ 0\.\d\d, 0\.\d\d to 0\.\d\d\)\. ", said
    )
    assert said.endswith("Two annotators need a look.")


@pytest.mark.parametrize(
    ("people", "items", "overlap", "said"),
    [
        (team(3), 1, 1, "1 of 3 votes is in. It is too early to say whether anybody needs a look."),
        (team(3), 9, 3, "All 27 votes are in; only 9 items so far got two votes, too few to say how far "),
        (team(3, 0.5), 60, 3, "people agree no more than by chance, as far as can be told"),
        (team(3, 0.6), 400, 3, "people agree hardly"),
        (team(3, 0.97), 60, 3, "people agree almost always"),
        (team(2), 60, 1, "60 of 180 votes are in. No annotator stands out."),
    ],
)
def test_the_verdict_says_no_more_than_is_known(
    project: Project, sign_in, people: list[Habits], items: int, overlap: int, said: str
) -> None:
    filled(project, people, verdicts(people, items=items, overlap=overlap, seed=0))

    assert said in heading(sign_in("rey", "reviewer"))


def test_a_place_that_wins_too_often_is_said(project: Project, sign_in) -> None:
    people = [Habits(f"half a lefty {n}", left=0.4) for n in range(4)]
    filled(project, people, verdicts(people, items=150, overlap=2, seed=0))

    assert re.search(
        r"The side shown first is chosen in 7\d% of votes, which should not be\.",
        heading(sign_in("rey", "reviewer")),
    )


def test_alarms_give_their_reason(project: Project, sign_in) -> None:
    filled(project)
    page = sign_in("rey", "reviewer").get("/dashboard").text
    lefty, hasty, *_ = re.findall(r"<li><strong dir=\"auto\">(.*?)</li>", page)

    assert re.match(
        r"lefty</strong> votes for one place: for the side shown first in 9\d% of \d+ votes\.", lefty
    )
    assert re.match(r"hasty</strong> votes too fast: in under 2 seconds in \d\d% of \d+ votes\.", hasty)
    assert "No alarm" not in page


def test_no_alarm_and_too_few_votes_are_said_plainly(project: Project, sign_in) -> None:
    people = [*team(3), Habits("newcomer")]
    votes = [
        vote for vote in verdicts(people, items=80, overlap=4, seed=0) if vote.person < 4 or vote.item < 5
    ]
    filled(project, people, votes)
    page = sign_in("rey", "reviewer").get("/dashboard").text

    assert "No alarm. Of 3 people with votes enough to tell, nobody votes at random" in page
    assert "1 person has too few votes to say anything (newcomer)." in page
    assert "Who needs a look" not in page


def test_names_and_reasons_stay_text(project: Project, sign_in) -> None:
    votes = verdicts(PEOPLE, items=30, overlap=8, seed=0)
    hostile = {"verdict": "skip", "reason": "<img src=x onerror=alert(1)>", "flags": ["<i>unsafe</i>"]}
    votes[0] = Vote(1, votes[0].person, votes[0].item, hostile, (0, 1), 20.0)
    filled(project, PEOPLE, votes)
    client = sign_in("rey", "reviewer")

    for address in (*ADDRESSES[:1], "/dashboard/plots/place.svg"):
        text = client.get(address).text
        assert "Bobby" in text
        for markup in ("<script>", "<b>Bobby", "<img", "<i>"):
            assert markup not in text
    assert 'style="' not in client.get("/dashboard").text


def test_the_page_tells_before_any_vote_what_will_be_here(project: Project, sign_in) -> None:
    page = sign_in("rey", "reviewer").get("/dashboard").text

    assert "Nothing has been said yet" in page
    assert "<figure" not in page


@pytest.mark.parametrize(
    ("task", "kind", "figure"),
    [("ranking", "ranks", "κ"), ("rating", "scores", "α"), ("thumbs", "thumbs", "κ")],
)
def test_every_task_has_a_dashboard(project: Project, sign_in, task, kind: str, figure: str) -> None:
    other = Project(project.database, Settings(task=task, aspects=("helpful",), overlap=3), project.secret)
    people = team(4)
    filled(project, people, of_many(people, kind, items=60, overlap=3, seed=0))
    client = sign_in("rey", "reviewer")
    client.app.state.project = other

    assert f"({figure} 0." in heading(client)
    names = re.findall(r'<figure class="card" id="([a-z-]+)"', client.get("/dashboard").text)
    places = ["place"] if kind != "thumbs" else []
    assert names == ["votes", "agreement", "with-others", *places, "seconds"]


def test_everything_can_be_taken_along(project: Project, sign_in) -> None:
    filled(project)
    client = sign_in("rey", "reviewer")
    page = client.get("/dashboard").text
    links = re.findall(r'href="(/dashboard/[^"]+)" download', page)
    assert len(links) == 6 + 2

    for link in links:
        response = client.get(link)
        assert response.status_code == 200
        assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert client.get("/dashboard/plots/nothing.svg").status_code == 404
    assert 'href="/downloads"' not in page
    assert 'href="/downloads"' in sign_in("ada", "admin").get("/dashboard").text


def test_figures_as_json_are_those_of_the_page_and_what_is_unknown_is_null(project: Project, sign_in) -> None:
    client = sign_in("rey", "reviewer")
    empty = client.get("/dashboard/figures.json").json()
    assert empty["measured"]["place"]["figure"]["value"] is None
    assert empty["pace"]["per_day"] is None

    filled(project)
    told = client.get("/dashboard/figures.json").json()
    measured = told["measured"]
    assert measured["rows"] == {"vote": 360, "skip": 0, "adjudication": 0, "replaced": 0, "retraction": 0}
    assert told["progress"]["stages"][0]["given"] == 360
    assert told["settings"]["task"] == "pairwise"
    kappa = measured["agreement"]["kinds"][0]["figures"]["fleiss"]
    assert f"κ {kappa['value']:.2f}, {kappa['low']:.2f} to {kappa['high']:.2f}" in heading(client)
    assert {alarm["name"] for alarm in measured["watch"]["alarms"]} == {"lefty", "hasty"}
    assert measured["agreement"]["windows"][0]["begin"].startswith("2026-03-02T09:0")
    assert "began" not in measured


def test_the_table_of_people_is_safe_to_open_in_a_spreadsheet(project: Project, sign_in) -> None:
    formula = '=HYPERLINK("http://evil.example")'
    people = [*team(2), Habits(formula, fast=1.0)]
    filled(project, people, verdicts(people, items=20, overlap=3, seed=0))
    rows = list(csv.DictReader(io.StringIO(sign_in("rey", "reviewer").get("/dashboard/annotators.csv").text)))

    assert {row["annotator"]: (row["votes"], row["alarms"]) for row in rows} == {
        "annotator 1": ("20", ""),
        "annotator 2": ("20", ""),
        f"'{formula}": ("20", "too_fast"),
    }
    assert float(rows[0]["agreement_low"]) < float(rows[0]["agreement"]) <= float(rows[0]["agreement_high"])


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_marked_as_text(begins: str) -> None:
    assert figure_files.cell(f"{begins}1+1") == f"'{begins}1+1"
    assert figure_files.cell(f"Ann {begins}") == f"Ann {begins}"


def test_a_number_in_a_table_stays_one() -> None:
    assert [figure_files.cell(number) for number in (-0.5, 0, 20)] == [-0.5, 0, 20]
    assert figure_files.cell(float("nan")) is None


def test_a_saved_plot_stands_by_itself(project: Project, sign_in) -> None:
    filled(project)
    response = sign_in("rey", "reviewer").get("/dashboard/plots/with-others.svg")

    assert response.headers["content-type"] == "image/svg+xml"
    root = ElementTree.fromstring(response.text)
    style = root.find("{http://www.w3.org/2000/svg}style")
    assert style is not None
    assert ".chart .dot { fill: var(--series-2, #" in (style.text or "")  # a colour where no page gives one


def test_another_vote_is_on_the_page_at_once(project: Project, sign_in) -> None:
    people = team(3)
    votes = verdicts(people, items=30, overlap=3, seed=0)
    filled(project, people, votes[:-1])
    client = sign_in("rey", "reviewer")
    before = client.get("/dashboard/figures.json").json()["measured"]["rows"]["vote"]
    with project.database.write() as connection:
        connection.execute(insert(schema.judgements).values(votes[-1].row()))

    assert client.get("/dashboard/figures.json").json()["measured"]["rows"]["vote"] == before + 1
