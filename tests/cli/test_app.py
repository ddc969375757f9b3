"""The command as a whole: its name, its help, its exit codes, and its missing extras."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from command import Done, call, complaint, environment

from runoutcome import CATALOG_VERSION, __version__
from runoutcome.cli._output.text import counted, sentence
from runoutcome.testing import scenario_names

COMMANDS = (
    "explain",
    "catalog",
    "check",
    "wait",
    "cancel",
    "run",
    "status",
    "report",
    "export",
    "demo",
    "emulate",
    "gateway",
    "doctor",
    "completion",
)


def without(modules: list[str], *words: str) -> Done:
    """The command in a Python where these modules cannot be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); sys.argv[1:] = {list(words)!r}; "
    code = block + "from runoutcome.cli import main; main()"
    return ended([sys.executable, "-c", code])


def in_shell(line: str) -> Done:
    """A line for /bin/sh, in which `runoutcome` is the command."""
    line = line.replace("runoutcome", f'"{sys.executable}" -m runoutcome')
    return ended(["/bin/sh", "-c", line])


def ended(argv: list[str]) -> Done:
    """A process that has ended."""
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_version_names_package_and_catalog() -> None:
    """`--version` prints the version of the package and that of its catalog."""
    done = call("--version")
    assert (done.returncode, done.stdout) == (0, f"runoutcome {__version__} (catalog {CATALOG_VERSION})\n")


def test_help_lists_every_command_in_whole_sentences() -> None:
    """`--help` has a line for each command that is not cut, and the exit codes."""
    done = call("--help")
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert "..." not in done.stdout.split("Commands:")[1].split("Exit codes:")[0]
    assert "Exit codes: 0 " in done.stdout


def test_help_of_emulate_names_the_scenarios_and_its_exit_codes() -> None:
    """The help of `emulate` tells its exit codes and where the scenarios are named, and there each of them is."""
    text = call("emulate", "--help", COLUMNS="200").stdout
    assert "--list" in text
    assert all(f"\n{name} " in f"\n{call('emulate', '--list').stdout}" for name in scenario_names())
    assert "Exit codes: 0 " in text


def test_no_command_is_bad_usage() -> None:
    """Without a command the help goes to stderr, and the exit code is 2."""
    done = call()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


@pytest.mark.parametrize("words", [["--nope"], ["catalog", "--format", "xml"]])
def test_bad_usage_is_one_line(words: list[str]) -> None:
    """Bad usage is one line on stderr that names the help, and exit code 2."""
    assert "--help" in complaint(call(*words))


@pytest.mark.parametrize("words", [["chekc"], ["catalog", "dif"], ["emulate", "--prot", "1"], ["wait"]])
def test_the_hint_follows_whole_sentences(words: list[str]) -> None:
    """The line ends a sentence once, also one that asks "Did you mean ...?", before it names the help."""
    message, _, command = complaint(call(*words)).partition(" Try: ")
    assert re.search(r"[^.?!][.?]$", message)
    assert command.endswith(" --help")


@pytest.mark.parametrize(
    ("number", "noun", "text"), [(0, "job", "0 jobs"), (1, "job", "1 job"), (2, "poll fault", "2 poll faults")]
)
def test_a_number_goes_with_its_noun(number: int, noun: str, text: str) -> None:
    """One is singular, any other number plural."""
    assert counted(number, noun) == text


@pytest.mark.parametrize(
    ("text", "ended"), [("No such file", "No such file."), ("Why?", "Why?"), ("Stop!", "Stop!"), ("Done.", "Done.")]
)
def test_a_sentence_ends_once(text: str, ended: str) -> None:
    """A full stop is added where no mark ends the sentence."""
    assert sentence(text) == ended


def test_a_command_starts_without_the_sdk() -> None:
    """Commands that ask no server load no SDK, which would make each of them slow."""
    code = "import runoutcome.cli._app, sys; print(sorted({'openai', 'asyncio', 'starlette'} & set(sys.modules)))"
    assert ended([sys.executable, "-c", code]) == Done(0, "[]\n", "")


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_its_extra_the_command_says_what_to_install(module: str) -> None:
    """Without typer or rich the command prints one line that names its extra, and exits 2."""
    done = without([module], "--version")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'The command line needs its extra: pip install "runoutcome[cli]"\n'


def test_without_its_extra_the_gateway_says_what_to_install() -> None:
    """Without uvicorn `gateway` prints one line that names its extra, and exits 2; starlette is not needed."""
    line = complaint(without(["uvicorn"], "gateway", "--upstream", "https://x/v1"))
    assert line == 'runoutcome: the gateway needs its extra: pip install "runoutcome[gateway]"'
    assert "the URL of the API" in complaint(without(["starlette"], "gateway", "--upstream", "x"))


def test_without_its_extra_the_emulator_says_what_to_install() -> None:
    """Without starlette and uvicorn `emulate` prints one line that names its extra, and exits 2."""
    line = complaint(without(["starlette", "uvicorn"], "emulate"))
    assert line == 'runoutcome: the emulator needs its extra: pip install "runoutcome[testing]"'


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_pipe_is_no_traceback() -> None:
    """When the reader of the output goes away the command ends in silence, with a shell's exit code for it."""
    done = in_shell("{ runoutcome catalog; echo code $? >&2; } | true")
    assert done.stderr == "code 141\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    """Output that cannot be written is one line on stderr, and exit code 2."""
    assert complaint(in_shell("runoutcome catalog --json >/dev/full")) == "runoutcome: No space left on device"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_streams_are_no_traceback() -> None:
    """With its standard streams closed the command still ends with the right exit code."""
    assert in_shell("runoutcome catalog <&- >&- 2>&-").returncode == 0
