"""The dashboard and the alert rules are about figures that /metrics really gives, and Prometheus itself can read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stream_ser.server.app import CallServer
from stream_ser.server.config import ServeConfig
from tests.deploy import promtool
from tests.server.serving import page

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus-alerts.yml"
PROMETHEUS_OWN = {"up"}  # made by the scrape itself
NAME = re.compile(r"\b(?:stream_ser|process|python|up)[a-z_]*\b")


@cache
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    return found


def queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def expressions() -> list[str]:
    """Of the alert rules; each stands on one line."""
    return re.findall(r"^ {8}expr: (.+)$", RULES.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names that a server gives, as a query says them."""
    store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'results.db'}"
    server = CallServer(ServeConfig(port=0, engine="onnx", store=store), {})
    server.start()
    try:
        status, text = page(server, "/metrics")
    finally:
        server.stop(0.0)
    assert status == 200
    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    found = {name for name, _ in families}
    for name, kind in families:
        if kind == "histogram":
            found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return found


def without_labels(expression: str) -> str:
    """An expression without what stands in braces, quotes and ``by (…)``, where names are no metrics."""
    return re.sub(r'\{[^}]*\}|"[^"]*"|by \([^)]*\)', "", expression)


@pytest.mark.parametrize("where", ["dashboard", "rules"])
def test_every_figure_that_is_asked_for_is_given(given: set[str], where: str) -> None:
    asked = queries() if where == "dashboard" else expressions()
    names = {name for expression in asked for name in NAME.findall(without_labels(expression))}
    assert len(names) > 10
    assert names - PROMETHEUS_OWN <= given


def test_everything_that_can_go_wrong_has_a_panel_or_a_rule(given: set[str]) -> None:
    told = " ".join([*queries(), *expressions()])
    for name in given:
        if re.search(r"_(lost|dropped|cut|failed|refused|missing|missed)[a-z_]*_total$", name):
            assert name in told, name


def test_the_dashboard_is_whole() -> None:
    board = dashboard()
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers) > 20
    places = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & places, panel["title"]
        places |= cells
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", " ".join(queries())))
    assert used <= variables


@pytest.fixture(scope="module")
def tool() -> str:
    program = promtool.find()
    if program is None:
        pytest.skip("there is no promtool; as root: python tests/deploy/promtool.py install")
    return program


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_rules_and_they_fire_when_they_should(tool: str, tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(Path(__file__).with_name("alerts.test.yml"), tmp_path)
    assert f"{len(expressions())} rules found" in run(tool, "check", "rules", RULES.name, folder=tmp_path)
    assert "SUCCESS" in run(tool, "test", "rules", "alerts.test.yml", folder=tmp_path)


def test_prometheus_reads_every_query_of_the_dashboard(tool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$", "")}
        for number, query in enumerate(queries())
    ]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(tool, "check", "rules", "queries.yml", folder=tmp_path)


def test_the_tool_finds_a_query_that_cannot_be_read(tool: str, tmp_path: Path) -> None:
    wrong = {"groups": [{"name": "g", "rules": [{"record": "r", "expr": "rate(stream_ser_ready"}]}]}
    (tmp_path / "wrong.yml").write_text(json.dumps(wrong))
    done = subprocess.run([tool, "check", "rules", "wrong.yml"], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode != 0
