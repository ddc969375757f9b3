"""The pytest plugin: the fixture `background_api`, and the marker of the same name that sets it up.

Importing this imports neither the SDK nor the emulator, so that sessions without the fixture pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ._background_api import BackgroundApi

_MARKER = "background_api"
_STRICT = "background_api_strict"
_PASSED = pytest.StashKey[bool]()


def __getattr__(name: str) -> Any:
    if name == "BackgroundApi":
        from ._background_api import BackgroundApi

        return BackgroundApi
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the option of the configuration."""
    parser.addini(
        _STRICT, "fail a test that leaves outcomes of background_api.script(...) unused", type="bool", default=True
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f'{_MARKER}(scenario="happy", *, clock="real", speed=None, seed=None, socket=True, strict=True, '
        "webhook_url=None, webhook_secret=None): what the fixture background_api plays, and in which time "
        '(clock="manual": the test moves it).',
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test itself has passed: a failed test gets no complaint about outcomes it did not reach."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture
def background_api(request: pytest.FixtureRequest) -> Iterator[BackgroundApi]:
    """An emulated background API on loopback with real clients, for sync and async tests; see docs/pytest.md."""
    from ._background_api import BackgroundApi

    with _create(BackgroundApi, request) as api:
        yield api
    if (complaint := api.complaint) and request.node.stash.get(_PASSED, False):
        pytest.fail(complaint, pytrace=False)


def _create(kind: type[BackgroundApi], request: pytest.FixtureRequest) -> BackgroundApi:
    """Create the API by the markers of the test, its class and its module; the nearest decides."""
    from ..testing import EmulatorError

    options: dict[str, Any] = {"strict": request.config.getini(_STRICT)}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        options |= dict(zip(("scenario",), marker.args, strict=False)) | marker.kwargs
    allowed = signature(kind).parameters
    if wrong := [name for name in options if name not in allowed]:
        problem = f"no option is called {wrong[0]!r}; there are {', '.join(allowed)}"
    else:
        try:
            return kind(**options)
        except EmulatorError as error:
            problem = str(error)
    pytest.fail(f"@pytest.mark.{_MARKER}: {problem}", pytrace=False)
