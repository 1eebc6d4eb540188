"""Claims about the table of `benchmarks.collect`: a row for each load, all figures from the result file."""

from __future__ import annotations

from benchmarks.collect_table import render


def test_a_row_names_its_load_and_its_figures() -> None:
    cuts = {"next": {"p50": 1.2, "p95": 20.4, "p99": 30.0}, "submit": {"p50": 2.0, "p95": 3.6, "p99": 9.9}}
    load = {
        "database": "sqlite",
        "door": "api",
        "think": 1.0,
        "milliseconds": cuts,
        "votes_per_second": 58.7,
        "server_cpu": 0.413,
        "server_bytes": 98_000_000,
    }
    report = {
        "date": "2026-01-02",
        "machine": {"cpu": "Some CPU", "cores": 2},
        "settings": {"annotators": 64, "items": 1000, "seconds": 30.0},
        "starts": {"new_project": 1.64, "known_project": 1.38},
        "loads": [load, load | {"database": "postgresql", "door": "pages", "think": 0.0}],
    }

    said = render(report)

    assert "| SQLite, API, thinking 1 s | 1 | 20 | 30 | 2 | 4 | 10 | 59 | 41% | 98 MB |" in said
    assert "| PostgreSQL, pages, no pause |" in said
    assert "1.6 s with the project it makes" in said
