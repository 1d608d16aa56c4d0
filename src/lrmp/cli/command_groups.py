"""Commands listed in groups: what a newcomer reads first."""

import argparse
from typing import Any

from lrmp.text_table import fold

WIDTH = 79  # of a help's text, as argparse breaks it on the narrowest of usual terminals


class CommandGroups:
    """The subcommands of a parser, whose help lists them in groups, a line each.

    Modules add commands to it as to what ``add_subparsers`` returns.

    Args:
        parser: Whose subcommands.
        usage: What stands before the command: its options.
    """

    def __init__(self, parser: argparse.ArgumentParser, usage: str = "[-h]") -> None:
        self._subparsers = parser.add_subparsers(
            required=True, metavar="COMMAND", help=argparse.SUPPRESS
        )
        parser.usage = f"%(prog)s {usage} COMMAND ..."  # where argparse suppresses it, too
        self._helps: dict[str, str] = {}

    def add_parser(self, name: str, *, help: str, **options: Any) -> argparse.ArgumentParser:  # noqa: A002
        """Add a command.

        Args:
            name: Of the command.
            help: What it does, in a line.
            **options: Of its parser.

        Returns:
            Its parser.
        """
        self._helps[name] = help
        return self._subparsers.add_parser(name, **options)

    def listing(self, groups: dict[str, tuple[str, ...]]) -> str:
        """List the commands.

        Args:
            groups: Names of commands by the title of their group; every command is in one.

        Returns:
            Lines.
        """
        left = self._helps.keys() - {name for names in groups.values() for name in names}
        assert not left, f"commands without a group: {left}"
        wide = max(map(len, self._helps))
        return "\n\n".join(
            "\n".join(
                [
                    f"{title}:",
                    *(
                        fold(f"  {name:<{wide}}  {self._helps[name]}", WIDTH, wide + 4)
                        for name in names
                    ),
                ]
            )
            for title, names in groups.items()
        )
