"""`synthmill generators`, `sources`, `filters`, `backends`, `exporters`: the plug-ins there are."""

import re

import click

# An end of line within a paragraph of a docstring; lists and indented lines stay as they are.
FOLD = re.compile(r"(?<=\S)\n(?=[^\s*-])")


def _command(family: str, what: str, example: str) -> click.Command:
    help_text = f"""List {family}: {what}.

    With NAME: what it is, and its settings with their defaults.

    \b
    Examples:
      synthmill {family}
      synthmill {family} {example}
    """

    @click.command(family, help=help_text)
    @click.argument("name", required=False)
    def command(name: str | None) -> None:
        if name is None:
            _print_list(family)
        else:
            _print_one(family, name)

    return command


def _print_list(family: str) -> None:
    from synthmill.flows.terminal.console import output, print_table
    from synthmill.flows.terminal.plugins import plugins

    found = [(plugin.name, plugin.summary) for plugin in plugins(family)]
    print_table(output(), ("name", "what it is"), found)


def _print_one(family: str, name: str) -> None:
    import inspect

    from synthmill.flows.terminal.console import output, print_table
    from synthmill.flows.terminal.plugins import plugin, settings_of

    found = plugin(family, name)
    console = output()
    console.print(FOLD.sub(" ", inspect.getdoc(found) or ""))
    if settings := settings_of(found):
        print_table(console, ("setting", "default", "meaning"), settings)


generators = _command("generators", "methods that make rows", "cotevol")
sources = _command("sources", "where work items come from", "jsonl")
filters = _command("filters", "judges of rows", "answer_equivalence")
backends = _command("backends", "ways to talk to models", "openai")
exporters = _command("exporters", "trainers that rows are written for", "trl")
