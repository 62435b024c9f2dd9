"""`medtf split`: give every patient a fold."""

import click

from medtf.cli.paths import UserPath

SHARE = click.FloatRange(0, 1, max_open=True)
OPTIONS = {"stratify": "--stratify", "uniform.n": "--uniform", "uniform": "--uniform", "leave_out": "--leave-out"}


@click.command(short_help="Give every patient of a table a fold.")
@click.argument("table_path", metavar="TABLE", type=UserPath())
@click.option("-o", "--output", type=UserPath(), help="Where to write [default: TABLE itself].")
@click.option("--valid", type=SHARE, help="Share for validation.  [default: 0.1]")
@click.option("--test", type=SHARE, help="Share for the test.  [default: 0.1]")
@click.option("--folds", type=click.IntRange(2), help="K folds (0 ... K-1) instead of shares.")
@click.option(
    "--stratify",
    multiple=True,
    metavar="COLUMN,...",
    help="Balance these columns over the folds, each by itself and all at once. May be repeated.",
)
@click.option("--uniform", metavar="COLUMN:N", help="N patients for validation, spread evenly, such as age:50.")
@click.option(
    "--leave-out",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="The patients with this value are the test, such as site=Guys. May be repeated.",
)
@click.option("--column", help="Take the folds from this column of the table.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another split.")
@click.option("--force", is_flag=True, help="Split again a table that has folds.")
def command(table_path, output, valid, test, folds, stratify, uniform, leave_out, column, seed, force):
    """Give every patient of TABLE a fold, balanced by patients, examples and labels; then look for leaks.

    Patients never stand in two folds. Folds that a column brings are audited just the same, and refused when they leak.
    """
    from medtf import audit, split, split_report, table
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError, nearest

    target = paths.output(output or table_path, ".parquet")
    found = table.load(table_path)
    columns = [name for name in found.frame if not name.startswith("read_")]
    stratify = tuple(dict.fromkeys(n for word in stratify for n in ([word] if word in columns else word.split(","))))
    for name in (*stratify, *((column,) if column else ())):
        if name not in columns:
            option = "--column" if name == column else "--stratify"
            raise AskedWronglyError(f"{option} {name!r} is no column of {table_path}: {nearest(name, columns)}")
    if "fold" in found.frame and not (force or column):
        raise AskedWronglyError(f"{table_path}: has folds already; split it anew with --force")
    wanted = _wanted(valid, test, folds, stratify, uniform, leave_out, seed)
    if column:
        found = found.with_frame(found.frame.assign(fold=split.given(found.frame[column], column)), split={})
    else:
        try:
            found = split.assign(found, wanted)
        except AskedWronglyError as error:
            raise AskedWronglyError(_as_options(str(error))) from error
    audit.refuse_leaks(found)
    with paths.writing(target):
        table.save(found, target)
    for line in _shares(found.frame, stratify):
        show.say(line)
    if stratify or uniform or leave_out:
        for line in split_report.describe(found):
            show.say(line)
    if "pixels" not in found.frame:
        show.say("pixels were not compared (medtf index --pixels): copies under two patients' names would not be seen")
    show.say(f"table: {target}   next: medtf fit CONFIG --data FOLDER --set data.table={target}")


def _wanted(valid, test, folds, stratify, uniform, leave_out, seed):
    """The options as `data.split`."""
    from medtf import config
    from medtf.errors import AskedWronglyError

    for share, name, instead in (
        (valid, "--valid", uniform and "--uniform"),
        (test, "--test", leave_out and "--leave-out"),
    ):
        if share is not None and instead:
            raise AskedWronglyError(f"{name} {share:g}: {instead} chooses that fold; give one of the two")
    raw = {"stratify": list(stratify), "folds": folds, "seed": seed}
    raw |= {key: share for key, share in (("valid", valid), ("test", test)) if share is not None}
    if uniform:
        name, _, number = uniform.rpartition(":")
        if not name or not number.isdigit() or int(number) < 2:
            raise AskedWronglyError(f"--uniform {uniform}: expected COLUMN:N with N of at least 2, such as age:50")
        raw["uniform"] = {"column": name, "n": int(number)}
    for word in leave_out:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise AskedWronglyError(f"--leave-out {word}: expected COLUMN=VALUE, such as site=Guys")
        raw.setdefault("leave_out", {}).setdefault(name, []).append(value)
    wanted = config.parse({"pipeline": "table", "data": {"split": raw}}).data.split
    shares = (0 if uniform else wanted.valid) + (0 if leave_out else wanted.test)
    if not folds and shares >= 1:
        raise AskedWronglyError(f"--valid {wanted.valid:g} and --test {wanted.test:g} leave nothing to train on")
    return wanted


def _as_options(message: str) -> str:
    """`data.split.leave_out: ...` in the words that were typed."""
    for key, option in OPTIONS.items():
        message = message.replace(f"data.split.{key}", option)
    return message.replace("data.split: folds and uniform", "--folds and --uniform").replace(
        "data.split: folds and leave_out", "--folds and --leave-out"
    )


def _shares(frame, stratify) -> list[str]:
    from medtf.cli.index import listed
    from medtf.cli.show import counted
    from medtf.split_report import names

    said = []
    for fold in names(frame["fold"]):
        rows = frame[frame["fold"] == fold]
        patients = counted(rows["patient"].nunique(), "patient")
        line = f"  {fold}: {counted(len(rows), 'example')} ({len(rows) / len(frame):.1%}) of {patients}"
        for name in stratify:
            line += f"   {name}: {listed(rows[name])}"
        said.append(line)
    return said
