"""The command `synthmill`: a table of commands, each loaded when it is called.

Nothing heavy is imported here or at the top of a command's module, so that help is instant.
"""

import importlib
import sys
from io import TextIOWrapper
from typing import Any

import click

from synthmill.flows.exit_codes import translated
from synthmill.flows.startup import check_memory_limits, import_pyarrow_without_pandas

# Section of the help -> command -> module in `synthmill.flows.commands`.
SECTIONS: dict[str, dict[str, str]] = {
    "Run recipes": {
        "check": "runs",
        "preview": "runs",
        "run": "runs",
        "resume": "runs",
        "schedule": "runs",
    },
    "Inspect datasets": {
        "ls": "datasets",
        "log": "datasets",
        "show": "datasets",
        "why": "datasets",
        "diff": "datasets",
        "sql": "datasets",
        "schema": "datasets",
    },
    "Change datasets": {
        "refilter": "arranging",
        "merge": "arranging",
        "copy": "arranging",
        "rename": "arranging",
        "drop": "arranging",
        "tag": "datasets",
    },
    "Export": {"export": "exports", "card": "exports"},
    "Maintain": {
        "delete-source": "maintenance",
        "maintain": "maintenance",
        "catalog": "maintenance",
    },
    "Recipes and plug-ins": {
        "init": "recipes",
        "recipe": "recipes",
        "generators": "plugins",
        "sources": "plugins",
        "filters": "plugins",
        "backends": "plugins",
        "exporters": "plugins",
    },
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
MODULES = {name: module for section in SECTIONS.values() for name, module in section.items()}


class Synthmill(click.Group):
    """The group of all commands; a failure becomes one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, from its module."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"synthmill.flows.commands.{MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; for a misspelled one, the nearest is suggested."""
        from synthmill.schemas.errors import nearest

        if args and args[0] not in MODULES and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], MODULES)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, each with the first line of its help."""
        for section, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(section):
                formatter.write_dl([(n, c.get_short_help_str(80)) for n, c in commands if c])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; characters that standard output cannot encode become escapes."""
        import_pyarrow_without_pandas()
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        with translated(ctx):
            check_memory_limits()
            return super().invoke(ctx)


@click.group(cls=Synthmill, context_settings=CONTEXT)
@click.version_option(
    package_name="synthmill", prog_name="synthmill", message="%(prog)s %(version)s"
)
def main() -> None:
    """Generate training data, verify it, and keep the reasons for everything rejected.

    A recipe (one YAML file) defines what to generate. A run writes rows to a versioned dataset;
    datasets are in a data folder (--home, else $SYNTHMILL_HOME, else ./factory).

    \b
    Start here:
      synthmill init my-project
      synthmill run cotevol-demo
      synthmill show cotevol-demo
      synthmill sql 'select kind, count(*) from "cotevol-demo" group by kind'
      synthmill export cotevol-demo --to trl -o trl-data

    Exit codes: 0 done; 1 a defect of Synthmill; 2 something that you can correct, described in
    one line; 3 the run stopped early and can be resumed.
    """


if __name__ == "__main__":
    main()
