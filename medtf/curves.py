"""A label-fraction curve: one table, split once, and a training for every start, share of the labels and seed, each an ordinary run folder.

    config.yaml  environment.json  local.json  plan.json  table.parquet  runs/  curve.json  curve.csv  curve.png  curve.html

All trainings are judged on the same test fold, and steered by the same whole validation fold. A point names its run folder, so a curve that
was stopped goes on where it was, and more shares, seeds or starts may be added to it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from medtf import config as configs
from medtf import lineage, prepare, runs
from medtf.config import Config, Labels
from medtf.errors import AskedWronglyError, MedtfError
from medtf.starts import slug

PLAN = "plan.json"  # what tells the folder of a curve from others
SCHEMA = 1


@dataclass(frozen=True)
class Point:
    """One training: the name of what it starts from, the share of the training patients in (0, 1], the seed (0, 1, ...)."""

    weights: str
    share: float
    seed: int

    @property
    def folder(self) -> str:
        """Of its run, below `runs/`."""
        return f"{slug(self.weights)}-{100 * self.share:g}pct-seed{self.seed}"

    def __str__(self) -> str:
        return f"{self.weights}, {100 * self.share:g} %, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """What is varied: names of the starts, shares in (0, 1] ascending, how many seeds; the least steps of a training; `probe` in its place."""

    weights: tuple[str, ...]
    shares: tuple[float, ...]
    seeds: int
    least_steps: int = 0
    probe: str | None = None

    def points(self) -> list[Point]:
        """From the fewest labels on: they are the quickest."""
        return [
            Point(name, share, seed) for share in self.shares for seed in range(self.seeds) for name in self.weights
        ]


class Curve:
    """The folder of a curve that is there.

    Raises:
        AskedWronglyError: no such folder, or another kind of folder. MedtfError: it is damaged.
    """

    def __init__(self, folder):
        self.run = runs.Run(folder)
        self.folder = self.run.folder
        if not (self.folder / PLAN).is_file():
            raise AskedWronglyError(f"{folder}: no label-fraction curve: it has no {PLAN} (`medtf curve` makes one)")
        try:
            found = self.run.read_json(PLAN)
            found.pop("schema")
            self.plan = Plan(**found | {key: tuple(found[key]) for key in ("weights", "shares")})
        except (KeyError, TypeError) as error:
            raise MedtfError(f"{self.folder / PLAN}: damaged: expected weights, shares and seeds") from error
        self.points = self.plan.points()

    def child(self, number: int) -> runs.Run:
        """The run of one point, by its place in the plan; its folder may not be there yet."""
        return runs.Run(self.folder / "runs" / self.points[number].folder)

    def predictions(self, number: int) -> Path:
        """What a point says of the test fold; written last."""
        return self.child(number).folder / "test_predictions.parquet"

    def missing(self) -> list[int]:
        """Points that are not trained and asked."""
        return [number for number in range(len(self.points)) if not self.predictions(number).is_file()]

    def source(self, point: Point) -> str:
        """none, imagenet, or the path of a run or file."""
        return self.run.read_json("local.json")["weights"][point.weights]

    def labels(self, point: Point) -> Labels:
        """How much of the training fold; another seed draws other patients too."""
        return Labels(share=point.share, seed=self.run.config().data.labels.seed + point.seed)

    def config_of(self, number: int) -> Config:
        """The config of one point's training.

        From scratch nothing is frozen and every layer learns at the full rate, whatever `train.freeze` and `train.layer_decay` say: they
        are for encoders that know something.
        """
        point, raw = self.points[number], self.run.config().model_dump(mode="json")
        path = str((self.folder / "table.parquet").resolve())
        raw["data"] |= {"table": path, "select": {}, "labels": self.labels(point).model_dump()}
        raw["model"]["weights"] = source = self.source(point)
        raw["train"]["seed"] += point.seed
        if source == "none":
            raw["train"] |= {"freeze": 0, "layer_decay": 1.0}
        return configs.parse(raw, str(point))


def create(
    config: Config,
    root,
    folder,
    plan: Plan,
    sources: dict[str, str],
    *,
    allow_leaks: bool = False,
    progress: prepare.Progress = prepare.quiet,
    say=print,
) -> Curve:
    """Index, check and split the data once, and make the folder, or leave nothing.

    Args:
        config: the experiment; its `data.labels.share` and `model.weights` are what is varied.
        root: data root. folder: where to.
        plan: what is varied. sources: {name: none, imagenet, or the path of a run or file}.
    Raises:
        AskedWronglyError: the folder exists. MedtfError: what is wrong with the data; no test fold.
    """
    run = runs.new(folder, "-o")
    table, leaks = prepare.training_table(
        config, root, parts=run.parts, allow_leaks=allow_leaks, progress=progress, say=say
    )
    if not (table.frame["fold"] == "test").any():
        raise MedtfError("the table has no test fold to judge on: split it with `medtf split`, or set data.split.test")
    for source in sources.values():
        leaks += lineage.audited(source, table, allow=allow_leaks).leaks
    told = {"schema": SCHEMA, **asdict(plan)}
    environment = runs.environment(leaks=leaks)
    run.create(config, table, root, environment, beside=lambda made: runs.Run(made).write_json(PLAN, told))
    (run.folder / "checkpoints").rmdir()
    prepare.scanning.forget(run.parts)
    return planned(Curve(folder), plan, sources, allow_leaks=allow_leaks)


def planned(curve: Curve, plan: Plan, sources: dict[str, str], root=None, *, allow_leaks: bool = False) -> Curve:
    """The same curve with a plan; what is trained and still asked for stays.

    Args:
        curve: that is there.
        plan: what is varied. sources: {name: none, imagenet, or the path of a run or file}.
        root: data root, where it has moved.
        allow_leaks: go on although a new start has seen people of the test fold; what was insisted on before stays so.
    Raises:
        AskedWronglyError: a name that stood for another source, or another kind of points. LeakError: weights that have seen test patients.
    """
    local, known = curve.run.read_json("local.json"), curve.run.read_json("local.json").get("weights", {})
    for name, source in sources.items():
        if known.get(name, source) != source:
            raise AskedWronglyError(f"--weights {source}: {name} is {known[name]} in {curve.folder}; take another -o")
    for key, option in (("probe", "--probe"), ("least_steps", "--min-steps")):
        there, asked = getattr(curve.plan, key), getattr(plan, key)
        if there != asked:
            raise AskedWronglyError(f"{option} {asked}: {curve.folder} was made with {there}; take another -o")
    environment = curve.run.read_json("environment.json")
    leaks, unchecked = list(environment.get("leaks", [])), []
    for source in sources.values():
        past = lineage.audited(source, curve.run.table(), allow=allow_leaks or source in known.values())
        leaks += [one for one in past.leaks if one not in leaks]
        unchecked += past.unchecked
    curve.run.write_json("environment.json", environment | {"leaks": leaks, "unchecked": unchecked})
    curve.run.write_json(
        "local.json", local | {"data": str(curve.run.root(root).resolve()), "weights": known | sources}
    )
    curve.run.write_json(PLAN, {"schema": SCHEMA, **asdict(plan)})
    return Curve(curve.folder)


def refuse_other(curve: Curve, config: Config) -> None:
    """A curve is of one config.

    Raises:
        AskedWronglyError: the folder's is another; the first key that differs.
    """
    there, asked = (one.model_dump(mode="json") for one in (curve.run.config(), config))
    for section in there:
        if there[section] == asked[section]:
            continue
        one, other = there[section], asked[section]
        key = section
        if isinstance(one, dict) and isinstance(other, dict):
            name = next(name for name in {**one, **other} if one.get(name) != other.get(name))
            key, one, other = f"{section}.{name}", one.get(name), other.get(name)
        raise AskedWronglyError(
            f"{curve.folder}: is a curve of another config ({key}: {one} there, {other} asked); take another -o"
        )
