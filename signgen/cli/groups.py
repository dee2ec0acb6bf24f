"""Commands that have commands of their own, such as `signgen pose info`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signgen.cli.output import say
from signgen.config.yaml import did_you_mean
from signgen.errors import ExitCode, UserError

__all__ = ["Command", "run_group"]

Command = Callable[[list[str]], int]
"""Takes the words after its name, returns the exit code."""


def run_group(words: list[str], commands: Mapping[str, Command], prog: str, text: str) -> int:
    """Run the command that the first word names, or show the help of the group.

    Args:
        words: Words after the group's name.
        commands: The group's commands by name.
        prog: How the group is called, for messages.
        text: Help of the group.

    Raises:
        UserError: If the first word is no command of the group (2).
    """
    if not words or words[0] in {"--help", "-h"}:
        say(text.rstrip())
        return ExitCode.OK
    if words[0] not in commands:
        raise UserError(
            f"{words[0]} is not a command of `{prog}`. "
            f"{did_you_mean(words[0], list(commands))} See `{prog} --help`.",
            ExitCode.USAGE,
        )
    return commands[words[0]](words[1:])
