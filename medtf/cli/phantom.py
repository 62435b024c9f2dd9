"""`medtf phantom`: synthetic data in the real archives' layouts."""

import sys
import time

import click


@click.group()
def command():
    """Synthetic data in the layout of real archives: to try everything without a patient."""


@command.command()
@click.argument("out", type=click.Path(file_okay=False))
@click.option("--patients", type=click.IntRange(1), default=100, show_default=True, help="How many patients.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same bytes."
)
@click.option("--slices", type=click.IntRange(1), default=24, show_default=True, help="Images a patient.")
@click.option(
    "--matrix", type=click.IntRange(32), default=512, show_default=True, help="Rows and columns; 256 is quick."
)
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1),
    default=0.40,
    show_default=True,
    help="Share of patients with a haemorrhage; 0.4 makes about 14 % of the images.",
)
@click.option("--flaws", is_flag=True, help="Add real archives' flaws, listed in OUT/flaws.csv.")
@click.option(
    "--shortcut",
    is_flag=True,
    help="A bright corner mark that follows the label in 95 % of images; OUT/annotations/shortcut/ says where it is.",
)
@click.option(
    "--annotations",
    type=click.Choice(["any", "each"]),
    default="any",
    show_default=True,
    help="Masks of the blood: all of it in one folder, or a folder of each kind too.",
)
@click.option("--jobs", type=int, default=-1, show_default="all cores", help="Processes.")
def ct(out, patients, seed, slices, matrix, prevalence, flaws, shortcut, annotations, jobs):
    """Head CT with five kinds of haemorrhage as in RSNA 2019: OUT/stage_2_train/ and OUT/stage_2_train.csv.

    OUT/annotations/any/ID_x.png says where the blood is, for every image that has some: a mask of the picture's size, 255 inside.
    """
    from medtf.data.phantom import ct as phantom

    start = time.monotonic()
    asked = {"patients": patients, "seed": seed, "slices": slices, "matrix": matrix, "prevalence": prevalence}
    with click.progressbar(length=patients, label=f"{patients} patients", hidden=not _terminal()) as bar:
        progress = _steps(bar, patients, "patients")
        asked |= {"flaws": flaws, "shortcut": shortcut, "annotations": annotations}
        counts = phantom.write(out, **asked, jobs=jobs, progress=progress)
    images = counts["images"]
    click.echo(f"{counts['patients']} patients ({counts['patients_any']} with blood), {images} images")
    for label, count in counts["labels"].items():
        click.echo(f"  {label:<17}{count:>7}  {100 * count / images:5.1f} %")
    extras = [f"{phantom.ANNOTATIONS}/"] if counts["labels"]["any"] or shortcut else []
    extras += [f"{counts['flaws']} flaws in flaws.csv"] if flaws else []
    extras += ["a corner mark that gives the label away"] if shortcut else []
    wrote = ", ".join([f"wrote {out}: {phantom.FOLDER}/, {phantom.TABLE}", *extras])
    click.echo(f"{wrote} ({time.monotonic() - start:.1f} s)")


@command.command()
@click.argument("out", type=click.Path(file_okay=False))
@click.option("--people", type=click.IntRange(1), default=100, show_default=True, help="How many people.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same bytes."
)
@click.option("--spacing", type=float, default=2.0, show_default=True, help="Nominal voxel in mm; 1 is as real.")
@click.option("--layout", type=click.Choice(["ixi", "hospital"]), default="ixi", show_default=True, help="Whose files.")
@click.option("--skull", is_flag=True, help="With skull, scalp and face; else skull-stripped.")
@click.option("--flaws", is_flag=True, help="Add real archives' flaws, listed in OUT/flaws.csv.")
@click.option(
    "--missing",
    type=click.FloatRange(0, 0.5),
    default=0.05,
    show_default=True,
    help="Share of people without a T1, and of people without an MRA.",
)
@click.option("--jobs", type=int, default=-1, show_default="all cores", help="Processes.")
def mri(out, people, seed, spacing, layout, skull, flaws, missing, jobs):
    """Brain MRI, T1 and TOF angiography, whose anatomy follows age and sex: IXI's files and sheet, or a hospital's.

    OUT/annotations/ventricles/ holds a mask of the ventricles of each T1, on its grid: they grow with age.
    """
    from medtf.data.phantom import mri as phantom

    start = time.monotonic()
    asked = {"people": people, "seed": seed, "spacing": spacing, "layout": layout, "skull": skull, "missing": missing}
    with click.progressbar(length=people, label=f"{people} people", hidden=not _terminal()) as bar:
        counts = phantom.write(out, **asked, flaws=flaws, jobs=jobs, progress=_steps(bar, people, "people"))
    sites = ", ".join(f"{site} {count}" for site, count in counts["sites"].items())
    click.echo(f"{counts['people']} people ({counts['women']} women; {sites})")
    click.echo(f"  {counts['T1']} T1, {counts['MRA']} TOF volumes, and their brain masks")
    extras = [f"{counts['flaws']} flaws in flaws.csv"] if flaws else []
    sheet = phantom.SHEET if layout == "ixi" else phantom.HOSPITAL_SHEET
    click.echo(
        ", ".join([f"wrote {out}: images, {sheet}, {phantom.ANNOTATIONS}/", *extras])
        + f" ({time.monotonic() - start:.1f} s)"
    )


@command.command()
@click.argument("out", type=click.Path(file_okay=False))
@click.option("--chest", type=click.IntRange(0), default=2000, show_default=True, help="Chest images; 0: none.")
@click.option("--shoulder", type=click.IntRange(0), default=400, show_default=True, help="Shoulder images; 0: none.")
@click.option("--size", type=click.IntRange(64, 1024), default=256, show_default=True, help="Pixels a side.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same bytes."
)
@click.option(
    "--osteoporosis",
    type=click.FloatRange(0.05, 0.95),
    default=0.4,
    show_default=True,
    help="Share of the shoulders' patients with a T-score of -2.5 or lower.",
)
@click.option(
    "--shortcut",
    is_flag=True,
    help="A letter on the shoulders that follows osteoporosis in 95 % of images; OUT/annotations/shortcut/ says where it is.",
)
@click.option("--flaws", is_flag=True, help="Add real archives' flaws, listed in OUT/flaws.csv.")
@click.option(
    "--format",
    type=click.Choice(["png", "dicom"]),
    default="png",
    show_default=True,
    help="Of the shoulders; chests are PNG, as NIH's are.",
)
@click.option("--jobs", type=int, default=-1, show_default="all cores", help="Processes.")
def xray(out, chest, shoulder, size, seed, osteoporosis, shortcut, flaws, format, jobs):
    """Radiographs whose bones follow a T-score: OUT/chest with NIH ChestX-ray14's files, OUT/shoulder with a sheet.

    Where the signs are: OUT/annotations/bone/ holds a mask of the bones of each shoulder, OUT/chest/BBox_List_2017.csv boxes of findings.
    """
    from medtf.data.phantom import xray as phantom

    start = time.monotonic()
    asked = {"chest": chest, "shoulder": shoulder, "size": size, "seed": seed, "osteoporosis": osteoporosis}
    asked |= {"shortcut": shortcut, "flaws": flaws, "format": format}
    with click.progressbar(length=chest + shoulder, label=f"{chest + shoulder} images", hidden=not _terminal()) as bar:
        counts = phantom.write(out, **asked, jobs=jobs, progress=_steps(bar, chest + shoulder, "images"))
    if chest:
        click.echo(f"{chest} chests of {counts['chest_patients']} patients")
        for label, count in counts["findings"].items():
            click.echo(f"  {label:<17}{count:>7}  {100 * count / chest:5.1f} %")
    if shoulder:
        share = f"{counts['osteoporosis']} with osteoporosis, {100 * counts['osteoporosis'] / shoulder:.1f} %"
        click.echo(f"{shoulder} shoulders of {counts['shoulder_patients']} patients ({share})")
    extras = [f"{counts['flaws']} flaws in flaws.csv"] if flaws else []
    extras += ["a letter that gives osteoporosis away"] if shortcut else []
    folders = [f"{name}/" for name, count in (("chest", chest), ("shoulder", shoulder)) if count]
    folders += [f"{phantom.ANNOTATIONS}/"] if shoulder else []
    click.echo(", ".join([f"wrote {out}: {', '.join(folders)}", *extras]) + f" ({time.monotonic() - start:.1f} s)")


def _steps(bar, total, what):
    """What to call after each one: moves the bar on a terminal, else prints a line every tenth of the way."""

    last = [0]

    def progress(done):
        step, last[0] = done - last[0], done
        bar.update(step)
        if not _terminal() and done * 10 // total > (done - step) * 10 // total:
            click.echo(f"{done} of {total} {what}", err=True)

    return progress


def _terminal() -> bool:
    return sys.stderr.isatty()
