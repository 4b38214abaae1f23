"""Runs command lines that arrive as JSON lines on stdin, in one process, and reports each end."""

import json
import os
import sys
import traceback

from click.testing import CliRunner


def main() -> None:
    """Answer until stdin is closed."""
    from synthmill.flows.cli import main as synthmill

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        case = json.loads(line)
        os.chdir(case["folder"])
        done = CliRunner().invoke(synthmill, case["arguments"], prog_name="synthmill")
        said = done.output
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            said += "".join(traceback.format_exception(done.exception))
        os.chdir("/")
        print(json.dumps([done.exit_code, said[-20_000:]]), file=answers, flush=True)


if __name__ == "__main__":
    main()
