"""`runoutcome completion`: a script by which a shell completes commands, options and their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer

NAME = "runoutcome"


class Shell(str, Enum):
    """Shells that a script is made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@dataclass(frozen=True)
class Words:
    """Words that may follow a command."""

    commands: Mapping[str, str]
    """Its subcommands, and the first sentence of the help of each."""
    options: Mapping[str, str]
    """Its options by their long names, and the help of each."""
    values: Mapping[str, tuple[str, ...]]
    """Words that an option takes; empty for any text or file. Flags are not in it."""
    arguments: tuple[str, ...]
    """Words that its argument takes."""


def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell to make it for.")],
) -> None:
    """Print a completion script for a shell.

    bash: eval "$(runoutcome completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit. fish: runoutcome
    completion fish > ~/.config/fish/completions/runoutcome.fish
    """
    tree = dict(_tree(context.find_root().command, NAME))
    print(_SCRIPTS[shell](tree), end="")


def _tree(command: Any, path: str) -> Iterator[tuple[str, Words]]:
    """Yield each command with its words, by its path such as `runoutcome catalog`.

    The commands are duck-typed: they are of click, or of the copy of click inside newer typer.
    """
    subcommands: dict[str, Any] = getattr(command, "commands", {})
    options = [param for param in command.params if param.param_type_name == "option"]
    named = {max(param.opts, key=len): param for param in options}
    arguments = [word for param in command.params if param not in options for word in _choices(param)]
    yield (
        path,
        Words(
            {name: one.get_short_help_str(limit=200) for name, one in subcommands.items()},
            {**{name: param.help or "" for name, param in named.items()}, "--help": "Show the help and exit."},
            {name: _choices(param) for name, param in named.items() if not param.is_flag},
            tuple(arguments),
        ),
    )
    for name, one in subcommands.items():
        yield from _tree(one, f"{path} {name}")


def _choices(param: Any) -> tuple[str, ...]:
    """Return the words that a parameter takes, by a metavar such as `hold|resubmit`: each typer has other types."""
    return tuple(param.metavar.split("|")) if param.metavar and param.metavar.islower() else ()


def _bash(tree: Mapping[str, Words]) -> str:
    commands = "\n".join(
        f"    '{path}') flags='{' '.join(words.options)}' takes='{' '.join(words.values)}' "
        f"plain='{' '.join([*words.commands, *words.arguments])}' ;;"
        for path, words in tree.items()
    )
    values = "\n".join(
        f"      '{path} {option}') values='{' '.join(choices)}' ;;"
        for path, words in tree.items()
        for option, choices in words.values.items()
        if choices
    )
    return _BASH.format(name=NAME, commands=commands, values=values, paths="|".join(f"'{path}'" for path in tree))


def _zsh(tree: Mapping[str, Words]) -> str:
    return f"autoload -U +X bashcompinit && bashcompinit\n{_bash(tree)}"


def _fish(tree: Mapping[str, Words]) -> str:
    lines = [f"complete -c {NAME} -n '__fish_use_subcommand' -f"]
    for path, words in tree.items():
        _, *names = path.split()
        where = " ; and ".join(f"__fish_seen_subcommand_from {name}" for name in names) or "__fish_use_subcommand"
        for name, text in words.commands.items():
            free = f" ; and not __fish_seen_subcommand_from {' '.join(words.commands)}" if names else ""
            lines.append(f"complete -c {NAME} -n '{where}{free}' -f -a {name} -d {_quoted(text)}")
        for word in words.arguments:
            lines.append(f"complete -c {NAME} -n '{where}' -f -a {word}")
        for option, text in words.options.items():
            choices = words.values.get(option)
            takes = "" if choices is None else f" -x -a '{' '.join(choices)}'" if choices else " -r"
            lines.append(f"complete -c {NAME} -n '{where}' -l {option[2:]}{takes} -d {_quoted(text)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SCRIPTS = {Shell.BASH: _bash, Shell.ZSH: _zsh, Shell.FISH: _fish}

# No variable is called `path`, `words` or `options`: these are special in zsh, which runs this too.
_BASH = """\
_{name}() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local place='{name}' flags='' takes='' plain='' values='' longer i
  for ((i = 1; i < COMP_CWORD; i++)); do
    longer="$place ${{COMP_WORDS[i]}}"
    case "$longer" in
      {paths}) place="$longer" ;;
    esac
  done
  case "$place" in
{commands}
  esac
  if [[ " $takes " == *" $previous "* ]]; then
    case "$place $previous" in
{values}
    esac
  elif [[ "$current" == -* ]]; then
    values="$flags"
  else
    values="$plain"
  fi
  COMPREPLY=($(compgen -W "$values" -- "$current"))
  if [[ ${{#COMPREPLY[@]}} -eq 0 && "$current" != -* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _{name} {name}
"""
