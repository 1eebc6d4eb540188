"""The command line. `main` turns whatever goes wrong into one message and an exit code.

Commands live in one thin file per group. They import torch and what needs it when they run, so that
`heedful --help` answers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Sequence

from heedful.cli.app import app
from heedful.errors import HeedfulError, Interrupted

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `heedful` with `arguments` (those of the process by default); returns the exit code.

    A `HeedfulError` is a message on stderr and its own exit code, a full disk 2, Ctrl-C 130. Anything else is
    a bug and keeps its traceback.
    """
    _silence_libraries()
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            app(arguments, prog_name="heedful")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.exit_code
    except HeedfulError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}the disk is full. Make room and try again.", file=sys.stderr)
        return HeedfulError.exit_code
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return Interrupted.exit_code
    return 0


def _silence_libraries() -> None:
    """Keep libraries' notices to developers off a user's terminal, and show Heedful's own as plain lines."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    notices = logging.getLogger("heedful")
    if not notices.handlers:
        notices.addHandler(logging.StreamHandler())
        notices.setLevel(logging.INFO)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # bars are for people who look on
