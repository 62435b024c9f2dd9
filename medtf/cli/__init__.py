"""The command line: one file a command, imported when it is asked for, so that `--help` is instant."""

import importlib
import sys

import click

from medtf import __version__
from medtf.errors import MedtfError, nearest

# name -> module; a new command is one file and one line here.
COMMANDS = {
    "demo": "medtf.cli.demo",
    "doctor": "medtf.cli.doctor",
    "evaluate": "medtf.cli.evaluate",
    "fit": "medtf.cli.fit",
    "index": "medtf.cli.index",
    "phantom": "medtf.cli.phantom",
    "predict": "medtf.cli.predict",
    "preview": "medtf.cli.preview",
    "split": "medtf.cli.split",
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


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="medtf")
def cli():
    """Train, judge and keep Keras models of medical images. For research; not a medical device."""


def main() -> None:
    """Run the command line; an error a user can mend is one line on stderr and exit 1 or 2, never a traceback."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except MedtfError as error:
        click.echo(f"medtf: {error}", err=True)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("medtf: stopped by Ctrl-C.", err=True)
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        click.echo(f"medtf: {named}{error.strerror or error}", err=True)
        sys.exit(1)
