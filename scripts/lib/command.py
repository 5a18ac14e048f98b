"""command: what scripts/plot and scripts/report have in common as commands: options, one sentence and an exit code for what is
wrong, and an output that is written as a whole or not at all."""

import argparse
import importlib
import os
import signal
import sys
import tempfile
from typing import NoReturn, TextIO

BAD_INPUT = 2
CANNOT = 3  # this machine, or what happened


class Failure(Exception):
    """Ends the program with one sentence."""

    def __init__(self, code: int, sentence: str):
        super().__init__(sentence)
        self.code = code


def name() -> str:
    """As the user called it: scripts/plot in the tree, tcpstorm-plot where it is installed."""
    called = os.path.basename(sys.argv[0])
    return called if called.startswith("tcpstorm-") else f"scripts/{called}"


def say(sentence: str) -> None:
    print(f"{name()}: {sentence}", file=sys.stderr)


def run(module: str) -> NoReturn:
    """Runs main() of that module. What it needs is loaded here, so that a library that is missing is told."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        importlib.import_module(module).main(sys.argv[1:])
    except Failure as failure:
        say(str(failure))
        sys.exit(failure.code)
    except ModuleNotFoundError as error:
        library = str(error.name).split(".")[0]
        say(f"Python's {library} is missing; it is in the Debian package python3-{library}.")
        sys.exit(CANNOT)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except MemoryError:
        say("out of memory.")
        sys.exit(CANNOT)
    sys.exit(0)


class Options(argparse.ArgumentParser):
    """With a help text of our own, and one sentence for what is wrong."""

    def __init__(self, usage: str):
        super().__init__(allow_abbrev=False, add_help=False)
        self.usage_text = usage
        self.add_argument("-h", "--help", action="help")

    def format_help(self) -> str:
        return self.usage_text.format(name=name())

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Options may stand between files; after -- there are files only."""
        end = words.index("--") if "--" in words else len(words)
        return self.parse_intermixed_args(words[:end] + [f"./{word}" if word[:1] == "-" != word else word for word in words[end + 1:]])

    def error(self, message: str) -> NoReturn:
        raise Failure(BAD_INPUT, f"{message}; {name()} --help shows what there is.")


def opened(file: str) -> TextIO:
    """For reading; - is standard input. Bytes that are no text are shown as such."""
    try:
        return open(0 if file == "-" else file, encoding="utf-8", errors="replace", newline="\n", closefd=file != "-")
    except OSError as error:
        raise Failure(BAD_INPUT, f"{shown(file)} cannot be read: {os.strerror(error.errno).lower()}.") from None


def shown(file: str) -> str:
    return "standard input" if file == "-" else file


def publish(output: str, content: bytes) -> None:
    """Writes beside the final place, and moves it there when all is written: what was there before stays until then."""
    unfinished = None
    try:
        if output == "-" or (os.path.exists(output) and not os.path.isfile(output)):  # a pipe, a device
            with open(1 if output == "-" else output, "wb", closefd=output != "-") as file:
                file.write(content)
            return
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{os.path.basename(sys.argv[0])}.", dir=os.path.dirname(output) or ".")
        with open(descriptor, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(unfinished, 0o666 & ~umask)
        os.replace(unfinished, output)
        unfinished = None
    except OSError as error:
        what = "standard output" if output == "-" else output
        raise Failure(CANNOT, f"{what} cannot be written: {os.strerror(error.errno).lower()}.") from None
    finally:
        if unfinished:
            os.unlink(unfinished)
