"""The command line: one file a command, imported when it is asked for, so that `--help` is instant."""

import importlib
import os
import signal
import sys
import traceback

import click

from medtf import __version__
from medtf.errors import MedtfError, StoppedError, nearest

# name -> module; a new command is one file and one line here.
COMMANDS = {
    "compare": "medtf.cli.compare",
    "curve": "medtf.cli.curve",
    "demo": "medtf.cli.demo",
    "doctor": "medtf.cli.doctor",
    "ensemble": "medtf.cli.ensemble",
    "evaluate": "medtf.cli.evaluate",
    "evidence": "medtf.cli.evidence",
    "explain": "medtf.cli.explain",
    "fit": "medtf.cli.fit",
    "index": "medtf.cli.index",
    "models": "medtf.cli.models",
    "pack": "medtf.cli.pack",
    "phantom": "medtf.cli.phantom",
    "predict": "medtf.cli.predict",
    "preview": "medtf.cli.preview",
    "probe": "medtf.cli.probe",
    "report": "medtf.cli.report",
    "split": "medtf.cli.split",
    "threshold": "medtf.cli.threshold",
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command (or the list of all) is wanted."""

    def list_commands(self, ctx):
        """The names, in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx, name):
        """The click command behind a name; None lets click say what is wrong."""
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name]).command

    def resolve_command(self, ctx, args):
        """As click does, but an unknown command names the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}: {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):
        """As click does, but a signal is told by its name (click would take SIGTERM for Ctrl-C)."""
        try:
            return super().invoke(ctx)
        except _Terminated:
            raise StoppedError("stopped by SIGTERM", 143) from None
        except KeyboardInterrupt:
            raise StoppedError("stopped by Ctrl-C", 1) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="medtf")
def cli():
    """Train, judge and keep Keras models of medical images. For research; not a medical device."""


class _Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be, so that temporary files are removed on the way out."""


def main() -> None:
    """Run the command line; what goes wrong is one line on stderr and exit 1 or 2 (143 after SIGTERM), never a traceback."""

    def terminate(number, frame):
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except MedtfError as error:
        _end(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "medtf"
        _end(f"{error.format_message().rstrip('.')}; see `{asked} --help`", 2)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("stopped by Ctrl-C", 1)
    except BrokenPipeError:  # `medtf ... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        # pydicom puts a whole traceback into the message: its last line is what happened
        _end(f"{named}{error.strerror or (str(error).splitlines() or [type(error).__name__])[-1]}", 1)
    except (
        Exception
    ) as error:  # a fault of medtf, or of a user's pipeline: still one line, and the way to the whole story
        if os.environ.get("MEDTF_TRACEBACK"):
            raise
        _end(_unforeseen(error), 1)


def _end(line: str, code: int) -> None:
    click.echo(f"medtf: {' '.join(line.split())}", err=True)
    sys.exit(code)


def _unforeseen(error: Exception) -> str:
    """Where it broke: the last frame in a file of the user's own, else the last in medtf."""
    here = os.path.dirname(os.path.dirname(__file__))
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    ours = [f for f in frames if f.filename.startswith(here)]
    # importlib's and the standard library's frames are nobody's: a user's own pipeline is what medtf imported by its path
    module = [
        f
        for f in frames
        if f.filename.endswith(".py") and not f.filename.startswith((here, sys.base_prefix, sys.prefix))
    ]
    last = (module or ours or frames)[-1]
    said = str(error).splitlines()[0] if str(error) else ""
    whose = "your pipeline" if module else "medtf: please report it"
    return (
        f"{os.path.basename(last.filename)}, line {last.lineno}: {type(error).__name__}: {said[:300]}"
        f" (a fault of {whose}; MEDTF_TRACEBACK=1 shows the whole way)"
    )
