"""Every response is told what browsers may do, and errors are pages."""

from __future__ import annotations

from fastapi.testclient import TestClient

from heedful.collect.web.app import create_app
from heedful.collect.web.security import HEADERS
from tests.collect.web.conftest import OWN


def test_whoever_has_no_session_is_sent_to_sign_in_and_a_link_signs_in(project, sign_in) -> None:
    stranger = TestClient(create_app(project), OWN, follow_redirects=False)

    assert (stranger.get("/").status_code, stranger.get("/").headers["location"]) == (303, "/login")
    assert stranger.get("/join/guess").status_code == 404
    assert sign_in("ann").get("/").status_code == 200


def test_every_response_has_the_policy_and_none_is_cached(sign_in) -> None:
    client = sign_in("ann")

    for path in ("/", "/login", "/nowhere", "/static/base.css"):
        response = client.get(path)
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert ("no-store" in response.headers.get("cache-control", "")) == (path != "/static/base.css")
    assert "There is no such page" in client.get("/nowhere").text
