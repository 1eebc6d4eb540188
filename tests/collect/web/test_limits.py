"""How often something may be asked, in a time that the tests set."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from heedful.collect.team import people
from heedful.collect.web import limits
from heedful.collect.web.app import create_app
from heedful.collect.web.limits import SIGNED_IN, STRANGERS, Buckets, Limits, Rate
from tests.collect.web.conftest import OWN, csrf_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


FEW = Rate(per_second=2, burst=8)


@pytest.fixture
def app(project, clock, monkeypatch):
    """The app, whose limits are reached after a few requests."""
    monkeypatch.setattr(limits, "STRANGERS", FEW)
    monkeypatch.setattr(limits, "SIGNED_IN", FEW)
    return create_app(project, limits=Limits(clock))


def visitor(app, host: str = "192.0.2.1") -> TestClient:
    return TestClient(app, OWN, follow_redirects=False, client=(host, 50000))


def statuses(client: TestClient, path: str, times: int, **more) -> set[int]:
    return {client.get(path, **more).status_code for _ in range(times)}


def test_a_bucket_holds_its_burst_and_fills_at_its_rate(clock) -> None:
    buckets = Buckets(Rate(per_second=2, burst=3), clock)

    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert buckets.take("b") == 0
    clock.now += 0.25
    assert buckets.take("a") == 0.25
    clock.now += 0.25
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    clock.now += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_is_given_back_can_be_taken_again_and_no_more_than_there_was(clock) -> None:
    buckets = Buckets(Rate(per_second=1, burst=2), clock)
    buckets.give_back("a")
    buckets.take("a")
    buckets.give_back("a")
    buckets.give_back("a")

    assert [buckets.take("a") for _ in range(3)] == [0, 0, 1]


def test_no_more_buckets_are_kept_than_there_may_be_and_the_longest_unused_goes(clock) -> None:
    buckets = Buckets(Rate(per_second=1, burst=1), clock, most=3)
    for key in ("a", "b", "c", "a", "d"):
        buckets.take(key)

    assert len(buckets) == 3
    assert "b" not in buckets
    assert buckets.take("a") == 1


def test_whoever_has_no_session_is_limited_by_address(app, clock) -> None:
    noisy, other = visitor(app), visitor(app, "192.0.2.2")

    assert statuses(noisy, "/api", FEW.burst) == {200}
    refused = noisy.get("/api")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "That was too often" in refused.text
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    assert noisy.get("/api/v1/next").json() == {"detail": "Too Many Requests"}
    assert noisy.get("/static/base.css").status_code == 200
    assert other.get("/api").status_code == 200
    clock.now += 0.5
    assert noisy.get("/api").status_code == 200


def test_a_forwarded_address_is_not_believed(app) -> None:
    client = visitor(app)

    seen = [
        client.get("/api", headers={"X-Forwarded-For": f"10.0.{i // 250}.{i % 250}"}).status_code
        for i in range(FEW.burst + 1)
    ]

    assert seen[-1] == 429


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_one_network_of_ipv6_is_one_address(app, host: str, key: str) -> None:
    visitor(app, host).get("/login")

    assert key in app.state.limits.strangers


def test_what_changes_something_is_limited_by_session(app, project, clock) -> None:
    def joined(name: str) -> tuple[TestClient, dict[str, str]]:
        with project.database.write() as connection:
            _, token = people.add(connection, name)
        client = visitor(app)
        client.get(f"/join/{token}")
        return client, {"csrf": csrf_of(client.get("/account").text)}

    (ann, form), (bob, bobs) = joined("Ann"), joined("Bob")
    path = "/judge/" + "x" * 22

    assert {ann.post(path, data=form).status_code for _ in range(FEW.burst)} == {404}
    assert ann.post(path, data=form).status_code == 429
    assert ann.get("/account").status_code == 200
    assert bob.post(path, data=bobs).status_code == 404
    clock.now += 0.5
    assert ann.post(path, data=form).status_code == 404


def test_forged_sessions_and_guessed_tokens_count_for_the_address(app) -> None:
    client = visitor(app)

    seen = [client.get("/account", headers={"cookie": f"heedful_session={i}"}).status_code for i in range(4)]
    seen += [
        client.get("/api/v1/progress", headers={"Authorization": f"Bearer {i}"}).status_code
        for i in range(FEW.burst - 4 + 1)
    ]

    assert seen[0] == 303
    assert (seen[-2], seen[-1]) == (401, 429)


def test_an_api_token_has_a_limit_of_its_own_once_it_was_let_in(app, project, clock) -> None:
    with project.database.write() as connection:
        ann, _ = people.add(connection, "Ann")
        token = people.issue_token(connection, ann, "script")
    client = visitor(app)
    given = {"Authorization": f"Bearer {token}"}

    assert statuses(client, "/api/v1/progress", FEW.burst, headers=given) == {200}
    assert client.get("/api/v1/progress", headers=given).status_code == 429
    assert client.get("/login").status_code == 200
    clock.now += 1000
    statuses(client, "/login", FEW.burst)
    assert client.get("/login").status_code == 429
    assert client.get("/api/v1/progress", headers=given).status_code == 200  # whoever else shares the address


def test_the_usual_limits_leave_room_for_a_room_full_of_annotators() -> None:
    assert STRANGERS.burst >= 5 * 64
    assert SIGNED_IN.per_second >= 20
    assert limits.MOST >= 10_000
