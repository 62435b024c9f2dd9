"""`medtf models`: the networks there are, and what they cost."""

import click

ROW = "{:20} {:2}  {:>5}  {:>12}  {:>15}  {}"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--size", type=click.IntRange(8), help="Side in pixels or voxels.  [default: the network's own; volumes 96]"
)
def command(names, size):
    """List the networks that `model.name` takes: parameters, multiply-adds, paper.

    Counted with one output, of one image of three channels or one grey volume. Multiply-adds are those of convolutions, dense
    layers and attention, in billions; training takes about three times as many.

    \b
    medtf models                    all of them; each is built, which takes a second
    medtf models sfcn --size 160
    """
    from medtf.cli.show import quiet_tensorflow
    from medtf.errors import AskedWronglyError, nearest
    from medtf.models.names import BACKBONES, TRANSFORMERS, VOLUME_BACKBONES

    known = [*BACKBONES, *TRANSFORMERS, *VOLUME_BACKBONES]
    for name in names:
        if name not in known:
            raise AskedWronglyError(f"unknown model {name!r}: {nearest(name, known)}")
    quiet_tensorflow()
    from medtf.models.count import size_of

    click.echo(ROW.format("model", "", "size", "parameters", "multiply-adds G", "paper"))
    for name in names or known:
        try:
            found = size_of(name, size)
        except AskedWronglyError as error:
            click.echo(f"{name:20} {error}")
            continue
        billions = f"{found.multiply_adds / 1e9:,.2f}"
        click.echo(ROW.format(name, f"{found.dimensions}D", found.side, f"{found.parameters:,}", billions, found.paper))
