"""`medtf pack`: decoded volumes in one file."""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Decode all volumes once, into one file.")
@click.argument("config")
@click.argument("out", type=UserPath())
@click.option("--data", "root", type=UserPath(), help="Folder of the data.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "int16", "float16"]),
    default="auto",
    show_default=True,
    help="auto: the file's own whole numbers where nothing is computed, else int16.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key. May be repeated.")
@click.option("--check", is_flag=True, help="Only compare every volume of OUT with its checksum.")
def command(config, out, root, dtype, overrides, check):
    """Turn all volumes of CONFIG's table to RAS+, resample them to input.spacing_mm, and write them into the one file OUT.

    Training then reads from it (--set input.keep=OUT) several times faster than from .nii.gz, memory-mapped, so that it need not fit into
    memory. Size, patches and normalisation may change without packing again. A pack that was stopped goes on where it was.
    """
    from pathlib import Path

    from medtf import config as configs
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError

    if check:
        return _check(out)
    if not root:
        raise AskedWronglyError("--data: expected the folder of the data")
    parsed = configs.load(config, (*overrides, "input.keep=none"))
    if parsed.model.dimensions != 3:
        raise AskedWronglyError(f"{config}: {parsed.model.name} is a 2D network; only volumes are packed")
    if Path(out).is_dir():
        raise AskedWronglyError(f"{out}: is a folder; expected the name of a file to write")
    show.quiet_tensorflow()
    from medtf import prepare, split
    from medtf.data import decoding, pack, volume_grid
    from medtf.data.memory import words

    table = split.select(prepare.found_table(parsed, root, progress=show.progress), parsed.data.select)
    table = prepare.with_masks(table, root, parsed, show.say)
    grid, kind = volume_grid.plan(table.frame, parsed), None if dtype == "auto" else dtype
    needed = decoding.size_of(table.frame, parsed, grid, kind)
    show.say(
        f"{show.counted(len(table), 'volume')} as {kind or decoding.kind_of(table.frame, parsed)}: {words(needed)} on disk"
    )
    with paths.writing(out, left="what is packed stays in OUT.part, and the same command goes on there"):
        done = pack.write(table, root, parsed, out, kind=kind, progress=show.progress("pack"))
    if done["resumed"]:
        show.say(f"went on after {show.counted(done['resumed'], 'volume')} of an earlier call")
    show.say(f"pack: {out}   {words(done['bytes'])}   use it: --set input.keep={out}")


def _check(out) -> None:
    from medtf.cli import show
    from medtf.data import pack

    show.say(f"{out}: {show.counted(pack.check(out), 'volume')}, each fits its checksum")
