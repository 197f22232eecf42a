"""Each step says what it took, and which Langfuse ran."""

from __future__ import annotations

import pytest

from tests.molecule.instance import FAULTS, LIFE, SHARED, SSO, Instance
from tests.molecule.playbook import CACHE


@pytest.fixture
def life() -> Instance:
    return LIFE


@pytest.fixture
def faults() -> Instance:
    return FAULTS


@pytest.fixture
def shared() -> Instance:
    return SHARED


@pytest.fixture
def sso() -> Instance:
    return SSO


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TIMES] = []


_TIMES: pytest.StashKey[list[tuple[str, float, str]]] = pytest.StashKey()
_CONFIG: list[pytest.Config] = []


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    _CONFIG.append(session.config)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed:
        _CONFIG[0].stash[_TIMES].append((report.nodeid.rsplit("/", 1)[-1], report.duration, report.outcome))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, seconds, outcome in config.stash[_TIMES]:
        terminalreporter.write_line(f"{seconds:7.1f} s  {outcome:<7} {name}")
    variables = CACHE / "bench" / "vars.yml"
    text = variables.read_text() if variables.exists() else ""
    kind = "stand-in" if "stand-in" in text else "the published images"
    terminalreporter.write_line(f"Langfuse itself: {kind}")
