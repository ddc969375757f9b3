"""Puts our client on each server of background runs that can be run here, and writes what came of it to
`docs/servers.md`.

`python compat/probe.py` makes the environments of `servers/servers.toml`, starts each server on a free port of
127.0.0.1, behind `OutcomeMiddleware` where it is an ASGI application, and asks of it what users do. Every process is
ended afterwards. A server that needs Redis is left out where `redis-server` is not installed, and the report says so.
"""
# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import openai
from run import HERE, ROOT, Environment, load, make, tomllib
from server_process import free_port, running

from report import table
from runoutcome import RunError, Runs, WaitTimeoutError, classify

REPORT = ROOT / "docs" / "servers.md"
SERVERS = HERE / "servers"
WAIT_SECONDS = 15


@dataclass(frozen=True)
class Server:
    """A server of `servers.toml`."""

    name: str
    package: str
    command: tuple[str, ...]
    path: str
    way: str
    key: str = "any"
    model: str = ""
    environment: str | None = None


class Probe:
    """One server as our client meets it. Each public method asks one thing and returns what came of it."""

    def __init__(self, client: openai.OpenAI, model_prefix: str) -> None:
        self._client, self._runs, self._prefix = client, Runs(client), model_prefix

    def completes(self) -> str:
        """A run that completes"""
        return self._ended("completed")

    def fails(self) -> str:
        """A run that fails: `rate_limit_exceeded`"""
        return self._ended("rate_limit_exceeded")

    def fails_for_good(self) -> str:
        """A run that fails: `insufficient_quota`"""
        return self._ended("insufficient_quota")

    def is_incomplete(self) -> str:
        """A run cut off by `max_output_tokens`"""
        return self._ended("max_output_tokens")

    def outlasts_the_wait(self) -> str:
        """A run that goes on at the deadline"""
        run = self._runs.create(model=self._model("stuck"), input="Hi")
        try:
            self._runs.poll(run, max_wait_seconds=1)
        except WaitTimeoutError as error:
            return f"`WaitTimeoutError`, with a token: {'yes' if error.token else 'no'}"
        return "ended"

    def is_cancelled(self) -> str:
        """`Runs.cancel` of a pending run"""
        run = self._runs.create(model=self._model("stuck"), input="Hi")
        return f"`{self._runs.cancel(run).status}`"

    def is_cancelled_late(self) -> str:
        """`Runs.cancel` of a completed run, known by its id only"""
        run = self._runs.create_and_poll(model=self._model("completed"), input="Hi", max_wait_seconds=WAIT_SECONDS)
        return f"`{self._runs.cancel(run.id).status}`"

    def streams(self) -> str:
        """`create_and_stream`"""
        with self._runs.create_and_stream(
            model=self._model("completed"), input="Hi", max_wait_seconds=WAIT_SECONDS
        ) as stream:
            events = list(stream)
            return f"{_counted(events)}, `{stream.get_final_response().status}`"

    def streams_a_failure(self) -> str:
        """`create_and_stream` of a run that fails"""
        with self._runs.create_and_stream(
            model=self._model("rate_limit_exceeded"), input="Hi", max_wait_seconds=WAIT_SECONDS
        ) as stream:
            events = list(stream)
            try:
                stream.get_final_response()
            except RunError as error:
                return f"{_counted(events)}, {_named(error)}"
        return f"{_counted(events)}, no error"

    def resumes_a_stream(self) -> str:
        """A stream left after two events, and taken up by its token"""
        with self._runs.create_and_stream(
            model=self._model("completed"), input="Hi", max_wait_seconds=WAIT_SECONDS
        ) as stream:
            seen = list(islice(stream, 2))
            token = stream.token
        with self._runs.stream(token, max_wait_seconds=WAIT_SECONDS) as stream:
            rest = list(stream)
            numbers = [event.sequence_number for event in (*seen, *rest)]
            again = len(numbers) - len(set(numbers))
            return f"{_counted(rest)}, {again} seen twice, `{stream.get_final_response().status}`"

    def is_deleted(self) -> str:
        """A poll of a deleted run"""
        run = self._runs.create_and_poll(model=self._model("completed"), input="Hi", max_wait_seconds=WAIT_SECONDS)
        self._client.responses.delete(run.id)
        return self._polled(run.id)

    def is_unknown(self) -> str:
        """A poll of an id that the server never gave"""
        return self._polled("resp_" + "0" * 48)

    def sends_the_field(self) -> str:
        """The `outcome` field in a failed run, read without our package"""
        run = self._runs.create(model=self._model("rate_limit_exceeded"), input="Hi")
        with suppress(RunError):
            self._runs.poll(run, max_wait_seconds=WAIT_SECONDS)
        body: Any = self._client.responses.retrieve(run.id).to_dict()
        field = (body.get("error") or {}).get("outcome") or body.get("outcome")
        return f"`{field['type']}`, retryable: {str(field['retryable']).lower()}" if field else "not sent"

    def _model(self, word: str) -> str:
        return f"{self._prefix}emulate-{word}"

    def _ended(self, word: str) -> str:
        try:
            run = self._runs.create_and_poll(model=self._model(word), input="Hi", max_wait_seconds=WAIT_SECONDS)
        except RunError as error:
            return _named(error)
        return f"`{run.status}`"

    def _polled(self, run_id: str) -> str:
        try:
            run = self._runs.poll(run_id, max_wait_seconds=WAIT_SECONDS)
        except (openai.OpenAIError, WaitTimeoutError) as error:
            return _named(error)
        return f"`{classify(run).status}`"


def _counted(events: list[Any]) -> str:
    made_here = sum(getattr(event, "synthetic", False) for event in events)
    return f"{len(events)} event{'' if len(events) == 1 else 's'}" + (f" ({made_here} by polling)" if made_here else "")


def _named(error: BaseException) -> str:
    """The class of the error, its code or status, and whether to submit again."""
    outcome = getattr(error, "outcome", None)
    if not isinstance(error, RunError) or outcome is None:
        return f"`{type(error).__name__}`"
    again = "retryable" if error.retryable else "not retryable"
    return f"`{type(error).__name__}` (`{outcome.code or outcome.reason or outcome.status}`, {again})"


PROBES: Mapping[str, Callable[[Probe], str]] = {
    str(probe.__doc__): probe for name, probe in vars(Probe).items() if not name.startswith("_")
}


def main(arguments: list[str] | None = None) -> int:
    """The command; the number of servers that could not be asked is its exit code."""
    settings = tomllib.loads((SERVERS / "servers.toml").read_text())
    servers = {
        name: Server(name, **{**fields, "command": tuple(fields["command"])})
        for name, fields in settings["servers"].items()
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(servers), help="this server alone; writes no report")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the table goes")
    options = parser.parse_args(arguments)
    environments = load(SERVERS / "servers.toml")
    results, left_out = dict[str, dict[str, str]](), list[str]()
    for name in options.only or servers:
        server = servers[name]
        if "{redis}" in server.command and not shutil.which("redis-server"):
            left_out.append(f"{server.way}: `redis-server` is not installed")
            continue
        environment = environments.get(server.environment or "")
        if environment is not None:
            make(environment)
        try:
            results[name] = asked(server, environment)
        except (OSError, RuntimeError) as error:
            left_out.append(f"{server.way}: {error}")
    if not options.only:
        options.report.write_text(page([servers[name] for name in results], results, left_out))
    for reason in left_out:
        print(f"servers: {reason}")
    return len(left_out)


def asked(server: Server, environment: Environment | None) -> dict[str, str]:
    """What came of each probe of this server, by its words, and its version."""
    with served(server, environment) as url:
        with openai.OpenAI(base_url=url + server.path, api_key=server.key) as client:
            probe, found = Probe(client, server.model), {"version": _version(server, environment)}
            for words, ask in PROBES.items():
                try:
                    found[words] = ask(probe)
                except Exception as error:  # noqa: BLE001 - whatever a server leads to is a result
                    found[words] = f"{_named(error)}: {str(error)[:80]}".replace("\n", " ")
                print(f"servers: {server.name}: {words}: {found[words]}", flush=True)
        return found


def _version(server: Server, environment: Environment | None) -> str:
    if environment is None:
        return f"{server.package} {version(server.package)}"
    program = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    done = subprocess.run([environment.interpreter, "-c", program, server.package], capture_output=True, text=True)
    return f"{server.package} {done.stdout.strip()}"


@contextmanager
def served(server: Server, environment: Environment | None) -> Iterator[str]:
    """The address of the server while it runs, and with it what it needs. Raises RuntimeError if it does not start."""
    python = environment.interpreter if environment else Path(sys.executable)
    ports = {name: str(free_port()) for name in ("port", "upstream", "redis", "other")}
    upstream = f"http://127.0.0.1:{ports['upstream']}/v1"
    commands = list[list[str | Path]]()
    if "{upstream}" in server.command:
        commands.append([sys.executable, "-m", "runoutcome", "emulate", "--port", ports["upstream"]])
    if "{redis}" in server.command:
        commands.append(["redis-server", "--port", ports["redis"], "--save", "", "--bind", "127.0.0.1"])
    filled = [part.format(**{**ports, "upstream": upstream}) for part in server.command]
    script = [str(SERVERS / filled[0]), *filled[1:]] if filled[0].endswith(".py") else filled
    commands.append([python, *script])
    url = f"http://127.0.0.1:{ports['port']}"
    with running(commands, url, environment.variables if environment else None):
        yield url


def page(servers: list[Server], results: Mapping[str, Mapping[str, str]], left_out: list[str]) -> str:
    """The report as Markdown."""
    rows = [[words, *(results[server.name][words] for server in servers)] for words in PROBES]
    versions = [[server.way, results[server.name]["version"]] for server in servers]
    notes = "".join(f"- Not asked: {reason}\n" for reason in left_out)
    return (
        HEAD.format(date=datetime.now(timezone.utc).date(), openai=version("openai"))
        + table(["server", "version"], versions)
        + (f"\n{notes}" if notes else "")
        + "\n## Results\n\n"
        + table(["question", *(server.way for server in servers)], rows)
        + TAIL
    )


HEAD = """\
# Servers

What our client makes of each server of background runs that can be run here. `python compat/probe.py`, a part of
`make compat`, starts them, asks, and writes this page. Measured on {date}, with openai {openai}.

Each server but the emulator is an ASGI application behind [`OutcomeMiddleware`](wire.md). The LiteLLM proxy has an
emulator as its upstream; OGX has chat completions, and Microsoft's server an agent, that end as the model's name says.

"""
TAIL = """
"by polling": the server's stream broke or does not exist, so the last event was made from a poll.

What follows for you:

- LiteLLM's polling via Redis keeps the status of a failed run and loses its error. The outcome is then that of a
  failure without any detail: not retryable. Let the proxy pass the creates on if you need the codes.
- With polling via Redis, LiteLLM writes `cancelled` over a result: cancel with the response that you have, not its id.
  A response that has ended is returned without a request. Its stream is no stream, so the run is polled.
- OGX refuses a background create with `stream`: use `create_and_poll`.
- Ids of LiteLLM name the run anew in each answer. `Runs` polls by the first (`Outcome.body_id` has the body's own).
"""

if __name__ == "__main__":
    sys.exit(main())
