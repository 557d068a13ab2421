"""Shared by commands and scripts: errors as one sentence, exit codes, help with examples, processes side by side."""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .. import streams
from ..config import full_place
from ..errors import OutputError, TianbaoError, shorten, unknown
from ..units import S_PER_MIN

if TYPE_CHECKING:
    from ..recording import Recording

_LONGEST = 500  # characters of an error
_NO_CHOICE = re.compile(r"argument (\w+): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_NO_NUMBER = re.compile(r"invalid (int|float) value: ('.*')")
_SHORT, _LISTED = 2, 12  # characters of a short option; options that a message lists
_UNTOLD_S = 2.0  # in which nothing is said of the time left
_WORD = re.compile(r"[\w-]+")

EXIT_FAILED, EXIT_ERROR, EXIT_INTERRUPTED = 1, 2, 130


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, with the nearest option or command, or a topic."""

    def parse_args(self, args=None, namespace=None):
        """As argparse does, but an unknown option is answered by the parser of the command it was given to."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            getattr(found, "parser", self)._refuse_option(rest[0])
        return found

    def _refuse_option(self, word: str) -> NoReturn:
        known = [each for action in self._actions for each in action.option_strings if each.startswith("--")]
        name = word.partition("=")[0]
        if not name.startswith("-"):
            self.error(f"unrecognized argument '{shorten(word)}'")
        place = full_place(name.strip("-").replace("-", "_")) if "--set" in known else None
        if place is not None:
            self.error(f"unrecognized option '{shorten(name)}': write --set {place}=...")
        short = [each for each in known if len(name) == _SHORT and each[_SHORT] == name[1]]
        bare = [each.strip("-") for each in known]
        said = unknown("option", name.strip("-"), bare)
        for each in bare:
            said = said.replace(f"did you mean '{each}'", f"did you mean '--{each}'")
        said = re.sub("known are .*", f"known are {', '.join(known[:_LISTED])}", said)
        said = f"unknown option '{name}': did you mean '{short[0]}'?" if len(short) == 1 else said
        self.error(said.replace("unknown", "unrecognized", 1).replace(f"'{name.strip('-')}'", f"'{name}'", 1))

    def error(self, message: str) -> NoReturn:
        """Print one sentence and exit with the code of an error."""
        if found := _NO_CHOICE.search(message):
            message = f"invalid choice: {unknown(found[1].lower(), found[2], _WORD.findall(found[3]))}"
        kind = {"int": "a whole number", "float": "a number"}
        todo = "write it alone, without a unit"
        message = _NO_NUMBER.sub(lambda each: f"{each[2]} is not {kind[each[1]]}; {todo}", message)
        print(f"{self.prog}: {_sentence(message)}; see {self.prog} --help", file=sys.stderr)
        sys.exit(EXIT_ERROR)


def run_script(act: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command; print any Tianbao error as one sentence and turn it into an exit code.

    Args:
        act: the command; takes the options and returns an exit code.
        args: options.

    Returns:
        The exit code of `act`, 2 after an error, 130 after Ctrl-C.
    """
    streams.steady()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("tianbao").setLevel(logging.INFO)
    try:
        return delivered(act(args))
    except TianbaoError as error:
        print(f"tianbao: {_sentence(error)}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("tianbao: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except MemoryError as error:
        print(f"tianbao: not enough memory ({error}); try a shorter run or longer frames", file=sys.stderr)
        return EXIT_ERROR
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"tianbao: {error.strerror or error}{where}; check the file and the disk", file=sys.stderr)
        return EXIT_ERROR


def in_processes(act: Callable, jobs: Sequence, workers: int, *, tasks: int | None = 1) -> Iterator:
    """Results of a function for many jobs, in their order, computed side by side in processes of their own.

    From two seconds on, the time left is told on standard error after each job but the last.

    Args:
        act: takes a job; a function of a module, as processes are spawned.
        jobs: that can be pickled.
        workers: processes at a time.
        tasks: jobs after which a process is replaced, as NEURON keeps what it has built; None for never.
    """
    streams.steady()
    # Not with orphans.end_with: a thread of the pool starts the later processes, and they would be killed with it.
    started, count = time.monotonic(), len(jobs)
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=tasks) as pool:
        for done, result in enumerate(pool.imap(act, jobs, chunksize=1), start=1):
            took = time.monotonic() - started
            if took > _UNTOLD_S and done < count:
                left = took * (math.ceil(count / workers) / math.ceil(done / workers) - 1.0) / S_PER_MIN
                print(f"run {done} of {count}, {left:.1f} min left", file=sys.stderr, flush=True)
            yield result
        # Left at once, processes would be ended in the middle of tidying up.
        pool.close()
        pool.join()


def delivered(code: int) -> int:
    """The exit code of a command, or 2 if it was successful but what it printed was lost, as on a full disk."""
    reason = streams.undelivered()
    if reason:
        print(f"tianbao: {reason}; free some disk space, or print to another file", file=sys.stderr)
        return code or EXIT_ERROR
    return code


def _sentence(error: TianbaoError | str) -> str:
    """An error message on one line, whatever characters it quotes."""
    text = "".join(each if each.isprintable() else " " for each in str(error))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


def add_command(commands: argparse._SubParsersAction, name: str, act: Callable, about: str, examples: str):
    """A sub-command with help and examples.

    Args:
        commands: sub-parsers of the parent command.
        name: of the command.
        act: function that runs it.
        about: one line.
        examples: example commands, one per line.

    Returns:
        Its parser.
    """
    epilog = "examples:\n" + "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    parser = commands.add_parser(
        name,
        help=about.replace("%", "%%"),
        description=about[0].upper() + about[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(act=act, parser=parser)
    return parser


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add the option without which nothing that was asked for by its path is replaced."""
    parser.add_argument("--force", action="store_true", help="replace what is there already")


def fresh(path: Path | None, force: bool) -> Path | None:
    """A path that was given for a file or folder, if nothing is there yet or it may be replaced.

    Raises:
        OutputError: if there is a file, or a folder with files in it.
    """
    if path is not None and not force and (path.is_file() or path.is_dir() and any(path.iterdir())):
        raise OutputError(f"{path} is there already: give another path, or replace it with --force")
    return path


def opened(path: Path) -> tuple[Recording, Path]:
    """The recording in a results file, or in the folder that contains one, and that folder.

    Raises:
        OutputError: when there is none, or it is damaged.
    """
    from ..io.files import result_file
    from ..io.results import open_recording

    file = result_file(path)
    return open_recording(file), file.parent
