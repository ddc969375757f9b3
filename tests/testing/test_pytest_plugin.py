"""The fixture `background_api` and its marker, in real sessions of pytest within this one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import runoutcome.pytest_plugin
from runoutcome.pytest_plugin import BackgroundApi

pytest_plugins = ("pytester",)

PAGE = Path(__file__).parents[2] / "docs" / "pytest.md"
PLUGIN = "runoutcome.pytest_plugin"
PRELUDE = """
import asyncio, time
import openai, pytest
from runoutcome.testing import OutcomeScript

def create(client, prompt="hi", **params):
    return client.responses.create(model="gpt-5", input=prompt, background=True, **params)

def wait(client, run):
    while run.status in ("queued", "in_progress"):
        time.sleep(0.005)
        run = client.responses.retrieve(run.id)
    return run

def ends(client, *prompts):
    ended = [wait(client, create(client, prompt)) for prompt in prompts]
    return [run.error.code if run.error else run.status for run in ended]
"""
Run = Callable[..., pytest.RunResult]


IS_INSTALLED = any(point.value == PLUGIN for point in entry_points(group="pytest11"))


class Imports:
    """What a session within this one has imported. Pytester forgets it, and libraries would be imported twice."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}

    def pytest_sessionfinish(self) -> None:
        """Part of pytest's interface."""
        self._modules |= {name: module for name, module in sys.modules.items() if not name.startswith("test_")}

    def keep(self) -> None:
        """Put back what was forgotten."""
        for name, module in self._modules.items():
            sys.modules.setdefault(name, module)


@pytest.fixture(autouse=True)
def imports() -> Iterator[Imports]:
    """For every test, and before its `pytester`, so that it comes after it at the end."""
    imports = Imports()
    yield imports
    imports.keep()


@pytest.fixture
def run(imports: Imports, pytester: pytest.Pytester) -> Run:
    """Runs a file of tests in a session of its own, with every warning an error."""

    def run(code: str, *options: str, ini: str = "") -> pytest.RunResult:
        pytester.makeini(f"[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\n{ini}")
        pytester.makepyfile(PRELUDE + code)
        plugins = [imports] if IS_INSTALLED else [imports, runoutcome.pytest_plugin]
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options, plugins=plugins)

    return run


@pytest.fixture
def run_apart(pytester: pytest.Pytester) -> Run:
    """The same in a process of its own."""

    def run_apart(code: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess(*(() if IS_INSTALLED else ("-p", PLUGIN)), *options)

    return run_apart


def test_the_first_test_one_writes(run: Run) -> None:
    """A client waits for a run in real time, and sees what was scripted."""
    run(
        """
def test_it(background_api):
    background_api.script("server_error")
    client = background_api.client()
    run = wait(client, create(client))
    assert (run.status, run.error.code) == ("failed", "server_error")
    assert [paid.id for paid in background_api.runs] == [run.id]
    assert background_api.requests[0].route == "create"
"""
    ).assert_outcomes(passed=1)


def test_outcomes_go_to_the_jobs_that_come(run: Run) -> None:
    """Each outcome is for the next job; a comma list is for the submissions of one; `match` chooses the jobs."""
    run(
        """
def test_order(background_api):
    background_api.script("server_error", "content_filter")
    assert ends(background_api.client(), "a", "b", "c") == ["server_error", "incomplete", "completed"]

def test_resubmission(background_api):
    background_api.script("rate_limit_exceeded,completed", "server_error")
    ended = ends(background_api.client(), "a", "b", "a", "a")
    assert ended == ["rate_limit_exceeded", "server_error", "completed", "completed"]

def test_match(background_api):
    background_api.script("server_error", match="annual report")
    background_api.script("slow_down", match={"metadata": {"team": "a"}})
    background_api.script("invalid_prompt", match=lambda request: request["model"] == "gpt-5-mini")
    client = background_api.client()
    assert ends(client, "a letter", "the annual report") == ["completed", "server_error"]
    assert wait(client, create(client, metadata={"team": "a"})).error.code == "slow_down"
    mini = client.responses.create(model="gpt-5-mini", input="hi", background=True)
    assert wait(client, mini).error.code == "invalid_prompt"

def test_values(background_api):
    outcome = OutcomeScript("odd", status="failed", code=499, queued_seconds=0, running_seconds=0)
    background_api.script(outcome)
    assert create(background_api.client()).error.code == 499
"""
    ).assert_outcomes(passed=4)


def test_an_outcome_that_nobody_came_for_fails_the_test(run: Run) -> None:
    """At teardown: the message names what is left over, and how to say that this is meant."""
    result = run(
        """
def test_it(background_api):
    background_api.script("server_error,completed", "content_filter", match="report")
    assert ends(background_api.client(), "report", "letter") == ["server_error", "completed"]
"""
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*2 scripted outcome(s) that no create came for: 'completed', 'content_filter'.*",
            "*2 run(s) were created*",
            "*background_api.allow_unconsumed()*strict=False*background_api_strict = false*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_create_that_is_refused_takes_no_outcome(run: Run) -> None:
    """Only a run that was created has taken its outcome."""
    run(
        """
def test_it(background_api):
    background_api.fault("create", 400, to=1)
    background_api.script("server_error")
    client = background_api.client()
    with pytest.raises(openai.BadRequestError):
        create(client)
    assert background_api.unconsumed == ["server_error"]
    assert wait(client, create(client)).error.code == "server_error"
"""
    ).assert_outcomes(passed=1)


def test_a_failed_test_is_told_only_why_it_failed(run: Run) -> None:
    """What it did not get round to is no news; a skipped and an expected failure are left alone, too."""
    run(
        """
def test_failing(background_api):
    background_api.script("server_error")
    assert False

def test_skipping(background_api):
    background_api.script("server_error")
    pytest.skip("not now")

@pytest.mark.xfail
def test_expected(background_api):
    background_api.script("server_error")
    assert False
"""
    ).assert_outcomes(failed=1, skipped=1, xfailed=1)


def test_leftovers_can_be_allowed(run: Run) -> None:
    """In a test, and by its marker."""
    run(
        """
def test_call(background_api):
    background_api.script("server_error")
    background_api.allow_unconsumed()

@pytest.mark.background_api(strict=False)
def test_marker(background_api):
    background_api.script("server_error")
"""
    ).assert_outcomes(passed=2)


def test_leftovers_can_be_allowed_everywhere(run: Run) -> None:
    """By the configuration; a marker still says otherwise."""
    code = """
def test_lenient(background_api):
    background_api.script("server_error")

@pytest.mark.background_api(strict=True)
def test_strict(background_api):
    background_api.script("server_error")
"""
    run(code, ini="background_api_strict = false").assert_outcomes(passed=2, errors=1)


def test_hours_pass_when_the_test_says_so(run: Run) -> None:
    """With a manual clock nothing happens by itself, and `speed` is 1."""
    run(
        """
@pytest.mark.background_api({"queued_seconds": 60, "running_seconds": 7200}, clock="manual")
def test_it(background_api):
    client = background_api.client()
    run = create(client)
    seen = []
    for seconds in (0, 60, 7199, 1):
        background_api.clock.advance(seconds)
        seen.append(client.responses.retrieve(run.id).status)
    assert seen == ["queued", "in_progress", "in_progress", "completed"]
"""
    ).assert_outcomes(passed=1)


def test_a_poller_that_sleeps_can_move_the_clock(run: Run) -> None:
    """The sleep of the code under test is replaced by the clock's `advance`."""
    run(
        """
import sys

def waits_as_it_likes(client, run):
    while run.status in ("queued", "in_progress"):
        time.sleep(600)
        run = client.responses.retrieve(run.id)
    return run

@pytest.mark.background_api({"running_seconds": 3600}, clock="manual")
def test_it(background_api, monkeypatch):
    client = background_api.client()
    run = create(client)
    monkeypatch.setattr(time, "sleep", background_api.clock.advance)
    assert waits_as_it_likes(client, run).status == "completed"
    assert len(background_api.requests) == 8
"""
    ).assert_outcomes(passed=1)


def test_the_nearest_marker_decides(run: Run) -> None:
    """Options of the module, the class and the test add up."""
    run(
        """
pytestmark = pytest.mark.background_api("quota", clock="manual", strict=False)

class TestIt:
    pytestmark = pytest.mark.background_api(scenario="stuck", seed=3)

    @pytest.mark.background_api("mixed")
    def test_it(self, background_api):
        assert background_api.scenario.name == "mixed"
        background_api.clock.advance(1)
        background_api.script("completed")

def test_module(background_api):
    assert background_api.scenario.name == "quota"
"""
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"nothing"', "unknown scenario 'nothing'. Allowed: *"),
        ("cluck=1", "no option is called 'cluck'; there are scenario, clock, speed, *"),
        ('clock="fast"', "the clock is 'real' or 'manual', got 'fast'"),
        ("speed=0", "speed divides durations, so it is more than 0; got 0"),
    ],
)
def test_a_wrong_marker_is_named(run: Run, marker: str, said: str) -> None:
    """One line says what is wrong with it."""
    result = run(f"@pytest.mark.background_api({marker})\ndef test_it(background_api): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"@pytest.mark.background_api: {said}"])
    assert "another exception" not in result.stdout.str()


def test_mistakes_in_a_test_are_errors_at_once(run: Run) -> None:
    """A word, match, fault or route nobody knows, and a clock nobody asked for."""
    run(
        """
@pytest.mark.parametrize("act", [
    lambda api: api.script("complted"),
    lambda api: api.script("completed,"),
    lambda api: api.script("completed", match={"prompt": "x"}),
    lambda api: api.fault("poll", "htlm"),
    lambda api: api.fault("pole", "html"),
    lambda api: api.fault("poll", "html", from_=3, to=2),
    lambda api: api.clock,
])
def test_it(background_api, act):
    from runoutcome.testing import EmulatorError
    with pytest.raises(EmulatorError) as caught:
        act(background_api)
    assert str(caught.value)
"""
    ).assert_outcomes(passed=7)


def test_faults_are_set_at_run_time(run: Run) -> None:
    """A fault counts the calls of its route from then on."""
    run(
        """
@pytest.mark.background_api(clock="manual")
def test_it(background_api):
    client = background_api.client(max_retries=0)
    run = create(client)
    client.responses.retrieve(run.id)
    background_api.fault("poll", 503, from_=2, to=3)
    background_api.fault("cancel", {"status": 429, "retry_after": 7})
    answers = []
    for _ in range(4):
        try:
            answers.append(client.responses.retrieve(run.id).status)
        except openai.InternalServerError as error:
            answers.append(error.status_code)
    assert answers == ["queued", 503, 503, "queued"]
    with pytest.raises(openai.RateLimitError) as caught:
        client.responses.cancel(run.id)
    assert caught.value.response.headers["retry-after"] == "7"
"""
    ).assert_outcomes(passed=1)


ASYNC_TEST = """
import threading

BEFORE = set(threading.enumerate())

async def wait_for(client, run):
    while run.status in ("queued", "in_progress"):
        await asyncio.sleep(0.005)
        run = await client.responses.retrieve(run.id)
    return run

{marker}
{prefix}def test_it(background_api):
    async def work():
        background_api.script("server_error")
        client = background_api.async_client()
        run = await wait_for(client, await create(client))
        assert run.error.code == "server_error"
    {call}

def test_nothing_is_left_open():
    import gc
    gc.collect()
    threads = set(threading.enumerate()) - BEFORE
    assert [thread for thread in threads if "runoutcome" in thread.name] == []
"""


@pytest.mark.parametrize("socket", [True, False])
def test_it_serves_async_tests_without_a_plugin(run: Run, socket: bool) -> None:
    """An asynchronous client that nobody closes leaves no connection and no thread behind."""
    marker = f"@pytest.mark.background_api(socket={socket})"
    run(ASYNC_TEST.format(marker=marker, prefix="", call="asyncio.run(work())")).assert_outcomes(passed=2)


def test_it_serves_async_tests_of_anyio(run: Run) -> None:
    """The same fixture works in coroutines that anyio runs."""
    backend = '\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    code = ASYNC_TEST.format(marker="@pytest.mark.anyio", prefix="async ", call="await work()")
    run(backend + code).assert_outcomes(passed=2)


def test_code_under_test_can_make_its_own_client(run: Run) -> None:
    """`environ` holds the variables that the SDK reads."""
    run(
        """
def test_it(background_api, monkeypatch):
    for name, value in background_api.environ.items():
        monkeypatch.setenv(name, value)
    with openai.OpenAI() as client:
        assert create(client).id == background_api.runs[0].id
"""
    ).assert_outcomes(passed=1)


def test_it_can_do_without_a_socket(run: Run) -> None:
    """With `socket=False` nothing listens; the clients work all the same, and transports are for one's own."""
    run(
        """
@pytest.mark.background_api(socket=False)
def test_it(background_api):
    client = background_api.client()
    assert ends(client, "hi") == ["completed"]
    library = __import__(type(client._client).__mro__[-2].__module__.partition(".")[0])
    http = library.Client(transport=background_api.transport())
    with openai.OpenAI(api_key="any", http_client=http) as own:
        create(own)
    assert len(background_api.runs) == 2
    for name in ("port", "environ"):
        with pytest.raises(Exception, match="socket|port"):
            getattr(background_api, name)
"""
    ).assert_outcomes(passed=1)


def test_a_client_can_be_judged(run: Run) -> None:
    """`assert_client_ok` passes for a client that reads its run to the end, and fails for one that leaves it."""
    result = run(
        """
pytestmark = pytest.mark.background_api(clock="manual")

def test_good(background_api):
    client = background_api.client()
    run = create(client)
    background_api.clock.advance(1)
    assert client.responses.retrieve(run.id).status == "completed"
    background_api.assert_client_ok()

def test_allowed(background_api):
    create(background_api.client())
    background_api.assert_client_ok(allow=["never_polled"])

def test_bad(background_api):
    create(background_api.client())
    background_api.assert_client_ok()
"""
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*the client did 1 thing wrong:*", "*never_polled*"])


def test_webhooks_go_where_the_test_says(run: Run) -> None:
    """`send_webhooks_to` takes a receiver that the test has started; from then on ended runs are told."""
    run(
        """
from http.server import BaseHTTPRequestHandler, HTTPServer
import threading

@pytest.mark.background_api(clock="manual")
def test_it(background_api):
    bodies = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(client.webhooks.unwrap(body, self.headers, secret=background_api.webhook_secret))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    client = background_api.client()
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        background_api.send_webhooks_to(f"http://127.0.0.1:{server.server_port}/")
        background_api.script("server_error")
        run = create(client)
        assert background_api.settle_webhooks() == []
        background_api.clock.advance(60)
        (delivery,) = background_api.settle_webhooks()
        server.shutdown()
        thread.join()
    assert (delivery.run_id, delivery.status) == (run.id, 200)
    assert [(body.type, body.data.id) for body in bodies] == [("response.failed", run.id)]
"""
    ).assert_outcomes(passed=1)


def test_the_page_about_it_is_true(pytester: pytest.Pytester, run: Run) -> None:
    """Every test in the docs of the plugin is run, and passes."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    tests = [block for block in blocks if "def test_" in block]
    for number, block in enumerate(tests):
        pytester.makepyfile(**{f"test_block_{number}": block})
    run("").assert_outcomes(passed=sum(block.count("def test_") for block in tests))
    assert len(tests) >= 6


def test_workers_of_xdist_have_emulators_of_their_own(run_apart: Run) -> None:
    """Tests side by side do not see each other's runs."""
    code = """
@pytest.mark.parametrize("number", range(2))
def test_it(background_api, number):
    background_api.script("server_error")
    assert ends(background_api.client(), "a", "b") == ["server_error", "completed"]
    assert len(background_api.runs) == 2
"""
    run_apart(PRELUDE + code, "-n", "2").assert_outcomes(passed=2)


def test_pytest_knows_the_marker_and_the_fixture(run: Run) -> None:
    """`--markers` and `--fixtures` list them."""
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.background_api(scenario=*"])
    run("", "--fixtures").stdout.fnmatch_lines(["background_api*", "*emulated background API*"])


def test_loading_the_plugin_loads_nothing_heavy(run_apart: Run) -> None:
    """A session that does not use the fixture imports neither the SDK nor the emulator."""
    run_apart(
        """
import sys

def test_it():
    heavy = {"openai", "httpx", "httpx2", "starlette", "uvicorn", "pydantic", "runoutcome.testing"}
    assert "runoutcome.pytest_plugin" in sys.modules
    assert heavy & set(sys.modules) == set()
"""
    ).assert_outcomes(passed=1)


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    """The module alone costs pytest, and no more; the class it names is there when asked for."""
    code = (
        "import sys, runoutcome.pytest_plugin as plugin\n"
        "heavy = {'openai', 'httpx', 'httpx2', 'starlette', 'uvicorn', 'pydantic', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), plugin.BackgroundApi.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[] BackgroundApi\n"


def test_the_class_can_be_named_and_others_cannot() -> None:
    """`from runoutcome.pytest_plugin import BackgroundApi` is for annotations; a wrong name is an AttributeError."""
    assert runoutcome.pytest_plugin.BackgroundApi is BackgroundApi
    with pytest.raises(AttributeError, match="no attribute 'BackgroundAPI'"):
        _ = runoutcome.pytest_plugin.BackgroundAPI
