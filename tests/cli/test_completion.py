"""`runoutcome completion`: the scripts name every command and option, and work in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import typer
from command import call, complaint

from runoutcome.cli._app import app

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The script for a shell."""
    done = call("completion", shell)
    assert done.returncode == 0, done
    return done.stdout


def completed(*words: str) -> set[str]:
    """What bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in ("runoutcome", *words))
    call_it = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _runoutcome; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    code = f"{script('bash')}\n{call_it}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stderr == ""
    return set(done.stdout.split())


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command by its path."""
    below = getattr(command, "commands", {})
    return {path: command, **{key: one for name in below for key, one in commands(below[name], (*path, name)).items()}}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_every_command_and_option() -> None:
    """A dash offers the options of the command so far, and no dash its subcommands."""
    for path, command in commands(typer.main.get_command(app)).items():
        options = {max(param.opts, key=len) for param in command.params if param.param_type_name == "option"}
        assert completed(*path, "-") == {*options, "--help"}
        if below := getattr(command, "commands", None):
            assert completed(*path, "") == set(below)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ca"], {"catalog", "cancel"}),
        (["run", "jobs.jsonl", "--amb"], {"--ambiguous"}),
        (["run", "jobs.jsonl", "--ambiguous", ""], {"hold", "resubmit"}),
        (["catalog", "--format", "t"], {"table", "typescript"}),
        (["catalog", "diff", "--format", ""], {"table", "json"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["run", "-o", "et"], {"etc"}),
        (["explain", "et"], {"etc"}),
    ],
)
def test_bash_completes_words_and_files(words: list[str], offered: set[str]) -> None:
    """Where a word is expected its values are offered, elsewhere files."""
    assert completed(*words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_everything(shell: str) -> None:
    """Each command and each option stands in the script, and a shell that is here can read it."""
    text = script(shell)
    for path, command in commands(typer.main.get_command(app)).items():
        names = [max(param.opts, key=len).lstrip("-") for param in command.params if param.param_type_name == "option"]
        assert all(name in text for name in (*path, *names))
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_another_shell_is_refused() -> None:
    """A shell without a script is one line that names those with one."""
    assert "'bash', 'zsh', 'fish'" in complaint(call("completion", "tcsh"))
