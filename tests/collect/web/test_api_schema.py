"""What the OpenAPI document says holds: schemathesis asks each operation what fits it, and what does not.

Each round has a project of its own with people, items and a vote, and a token that acts for one of them. Some
of what is drawn is turned to what is there: else all would be answered by 404.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from heedful.collect.settings import Settings
from heedful.collect.store.database import Database
from heedful.collect.store.model import Person, Role
from heedful.collect.store.project import Project, now
from heedful.collect.team import people
from heedful.collect.web import api_page
from heedful.collect.web.app import create_app
from heedful.collect.web.limits import Limits
from heedful.collect.work import items, queue
from heedful.records import Candidates, assistant, user

HOST = "testserver"  # what schemathesis calls the app
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CONFIG = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
NASTY = ("\0", "\u202e", "'; --", "{{ 7 }}", "%s")  # spliced into texts that are sent
FEW, MANY = 2, 40  # cases for each operation; nearly all of the time goes into drawing them


@dataclass
class Round:
    """An app, and the person whose token asks it."""

    project: Project
    app: FastAPI
    person: Person
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def mend(self) -> str:
        """Undo what keeps the token out, and give the person an item; its token."""
        with self.project.database.write() as connection:
            people.activate(connection, self.person)
            people.set_role(connection, self.person, self.person.role)
            found = queue.open_next(connection, self.person, self.project.settings, now())
        return found.token if found is not None else "none-left"


@pytest.fixture(params=["admin", "annotator"])
def round_(request: pytest.FixtureRequest, database: Database) -> Round:
    project = Project.open(database, Settings(overlap=3))
    role: Role = request.param
    records = [
        Candidates((user(f"Question {n}?"),), ((assistant("Yes."),), (assistant("No."),)), id=f"q{n}")
        for n in range(20)
    ]
    with database.write() as connection:
        person, _ = people.add(connection, "the one who asks", role)
        for name in ("another admin", "a third"):
            people.add(connection, name, "admin")
        token = people.issue_token(connection, person, "schemathesis")
        items.add_records(connection, records, project.settings)
    seconds = itertools.count()  # a minute passes between two requests
    app = create_app(project, hosts=[HOST], limits=Limits(clock=lambda: 60.0 * next(seconds)))
    return Round(project, app, person, token)


def ask(round_: Round, mode: GenerationMode, cases: int) -> Counter[int]:
    """Ask every operation so many things, and hold answers to the document; how often came which status."""
    document = schemathesis.openapi.from_asgi("/api/openapi.json", round_.app, config=CONFIG)
    checks = [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
    statuses: Counter[int] = Counter()

    def one(operation: schemathesis.APIOperation) -> None:
        @given(st.data())
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def asked(data: st.DataObject) -> None:
            case = data.draw(operation.as_strategy(generation_mode=mode))
            there = {"token": round_.mend(), "id": data.draw(st.integers(1, 4))}
            if mode is GenerationMode.POSITIVE:
                for name in set(there) & set(case.path_parameters or ()):
                    if data.draw(st.booleans()):
                        case.path_parameters[name] = there[name]
                if isinstance(case.body, dict) and data.draw(st.booleans()):
                    case.body = spoiled(case.body, data.draw(st.sampled_from(NASTY)))
            answer = case.call_and_validate(headers=round_.headers, checks=checks)
            statuses[answer.status_code] += 1

        asked()

    for found in document.get_all_operations():
        with contextlib.suppress(Unsatisfiable):  # nothing can be sent that does not fit
            one(found.ok())
    return statuses


def spoiled(value: object, with_this: str) -> object:
    """JSON with something in the midst of each of its texts."""
    if isinstance(value, dict):
        return {key: spoiled(one, with_this) for key, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one, with_this) for one in value]
    return f"{value[:1]}{with_this}{value[1:]}" if isinstance(value, str) else value


@pytest.mark.parametrize(
    "cases", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "fits-not"])
def test_answers_are_as_the_document_says(round_: Round, mode: GenerationMode, cases: int) -> None:
    statuses = ask(round_, mode, cases)

    assert not statuses.keys() & {401, 429}, "the rounds were to get further than to the door"
    if mode is GenerationMode.POSITIVE:
        assert statuses[200] > 0
        assert (statuses[201] > 0) == (round_.person.role == "admin")


BODIES = {
    "/assignments/{token}/answer": {
        "answer": {"verdict": "a", "rationale": "yes", "flags": ["no"]},
        "uid": "u",
    },
    "/assignments/{token}/undo": {"uid": "u1"},
    "/people": {"name": "name", "role": "annotator"},
    "/items": {
        "records": [
            {"heedful": 1, "kind": "prompt", "id": "id", "prompt": [{"role": "user", "content": "Hi"}]},
            {
                "heedful": 1,
                "kind": "rating",
                "prompt": [],
                "response": [],
                "score": 1,
                "metadata": {"a": "b"},
            },
        ]
    },
}


@pytest.mark.parametrize("path", BODIES)
def test_half_a_surrogate_pair_is_refused_in_every_text(round_: Round, path: str) -> None:
    client = TestClient(round_.app, headers=round_.headers | {"Content-Type": "application/json"})

    sent = json.dumps(spoiled(BODIES[path], "\ud800")).encode()
    answer = client.post(f"/api/v1{path.replace('{token}', round_.mend())}", content=sent)

    if path == "/items" and round_.person.role == "admin":
        assert [row["reason"] for row in answer.json()["left_out"]] == ["broken_text"] * 2
    else:
        assert answer.status_code in (403, 422)


def test_without_a_token_every_operation_is_closed(round_: Round) -> None:
    stranger = TestClient(round_.app)
    document = api_page.document()

    for path, methods in document["paths"].items():
        for method in methods:
            answer = stranger.request(method, path.replace("{id}", "1").replace("{token}", round_.mend()))
            assert (answer.status_code, list(answer.json())) == (401, ["detail"]), (method, path)
