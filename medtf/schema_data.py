"""The part of the schema that says what is learnt from what: targets, folds, and what the network sees."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from medtf.errors import AskedWronglyError


class Strict(BaseModel):
    """Unknown keys are errors, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(Strict):
    """One column to learn. `kind` binary: NaN or empty = unknown; multiclass: `classes` in order; regression: in the column's unit."""

    kind: Literal["binary", "multiclass", "regression"]
    positive: Any = None  # binary: the value that counts as 1; None: the column holds 0 and 1
    negative: Any = None  # binary: the value that counts as 0; None: every other value that is not empty
    classes: tuple[Any, ...] = ()
    head: Literal["value", "bins", "gaussian"] = "value"  # regression: one number, soft-label bins, mean and variance
    bins: tuple[float, float, float] | None = None  # lower edge, upper edge, width, in the column's unit (head: bins)
    sigma: float = Field(1.0, gt=0)  # standard deviation of a soft label, in the column's unit (head: bins; Peng 2021)

    @model_validator(mode="after")
    def _bins(self):
        if (self.head == "bins") != (self.bins is not None):
            raise ValueError("expected `head: bins` together with `bins: [lowest, highest, width]`")
        if self.bins is not None:
            low, high, width = self.bins
            count = (high - low) / width if width > 0 else 0
            if count < 2 or abs(count - round(count)) > 1e-6:
                raise ValueError("expected `bins: [lowest, highest, width]` to make at least two bins of equal width")
        return self

    @property
    def bin_centers(self) -> tuple[float, ...]:
        """Middle of each bin, in the column's unit (head: bins)."""
        low, high, width = self.bins
        return tuple(low + (i + 0.5) * width for i in range(round((high - low) / width)))

    @property
    def units(self) -> int:
        """Width k of the labels and outputs, (batch, k)."""
        return len(self.classes) if self.kind == "multiclass" else 1


def target(value):
    """`binary` | `regression` | {binary: {positive: M}} | {classes: [...]} -> the arguments of Target."""
    if isinstance(value, Target):
        return value
    if value in ("binary", "regression"):
        return {"kind": value}
    if isinstance(value, dict) and set(value) == {"binary"}:
        return {"kind": "binary", **(value["binary"] or {})}
    if isinstance(value, dict) and set(value) == {"regression"}:
        return {"kind": "regression", **(value["regression"] or {})}
    if isinstance(value, dict) and set(value) == {"classes"}:
        if not isinstance(value["classes"], list) or len(value["classes"]) < 2:
            raise ValueError("expected `classes` to be a list of at least two values")
        return {"kind": "multiclass", "classes": tuple(value["classes"])}
    if isinstance(value, dict) and "kind" in value:
        return value
    raise ValueError(
        "expected `binary`, `regression`, {binary: {positive: VALUE}}, {regression: {head: gaussian}} or {classes: [A, B, ...]}"
    )


class Uniform(Strict):
    """A validation fold of `n` patients whose values of `column` are spread as evenly as the data allow."""

    column: str
    n: int = Field(50, ge=2)


class Split(Strict):
    """How patients come into folds. `folds` + `test_fold`: k folds, the next one validates.

    `stratify` keeps the mix of each column, and of all of them together, in every fold. `uniform` draws the validation fold (`valid` is
    then not used), `leave_out` names the values of a column (a site, a scanner) whose patients are the test fold (`test` is then not used).
    """

    valid: float = Field(0.1, ge=0, lt=1)
    test: float = Field(0.1, ge=0, lt=1)
    folds: int | None = Field(None, ge=2)
    test_fold: int = Field(0, ge=0)
    stratify: tuple[str, ...] = ()
    uniform: Uniform | None = None
    leave_out: dict[str, Any] | None = None  # {site: Guys} or {site: [Guys, IOP]}
    seed: int = Field(0, ge=0)


class Undersample(Strict):
    """Which examples of the majority an epoch sees; `ratio` = majority examples for each one of the minority."""

    policy: Literal["none", "fixed", "each_epoch", "weighted", "balanced"] = "none"
    target: str | None = None  # None: the first target; balanced: all of them
    ratio: float = Field(1.0, gt=0)
    level: Literal["examples", "patients"] = "examples"

    @model_validator(mode="after")
    def _all(self):
        if self.policy == "balanced" and self.target is not None:
            raise ValueError(f"balanced goes by all targets: remove `target: {self.target}`, or set `policy: weighted`")
        return self


class Labels(Strict):
    """How much of the training fold is used: a share of its patients, drawn anew by `seed`; a smaller share lies within a larger one."""

    share: float = Field(1.0, gt=0, le=1)
    seed: int = Field(0, ge=0)


class Data(Strict):
    """Where the table comes from and how its rows are ordered."""

    table: str | None = None
    columns: dict[str, str] = {}
    split: Split = Split()
    select: dict[str, Any] = {}  # {sequence: T1}: only rows that hold the value (or one of a list); after the split
    undersample: Annotated[Undersample, BeforeValidator(lambda v: {"policy": v} if isinstance(v, str) else v)] = (
        Undersample()
    )
    labels: Annotated[Labels, BeforeValidator(lambda v: {"share": v} if isinstance(v, (int, float)) else v)] = Labels()
    uncertain: Literal["ignore", "ones", "zeros"] = "ignore"  # what a finding that its reader left open counts as
    views: tuple[Literal["frontal", "lateral", "AP", "PA"], ...] = ()  # of radiographs; none named: all
    on_error: Literal["fail"] = "fail"
    check_pixels_up_to: int = Field(20_000, ge=0)  # examples; above this `fit` says what the pixel pass would cost


class Patches(Strict):
    """Patches of `input.size` voxels in place of whole volumes. Judgement tiles each volume and gathers one answer."""

    sampler: Literal["uniform", "foreground", "grid"] = "foreground"
    patches_per_volume: int = Field(16, ge=1)  # in an epoch; `grid` takes that many of the tiles
    volumes_mixed: int = Field(4, ge=1)  # a batch holds patches of so many volumes
    overlap: float = Field(0.25, ge=0, lt=1)  # of neighbouring tiles, as a share of the side


class Clahe(Strict):
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994)."""

    clip: float = Field(0.01, ge=1 / 256, le=1)  # most that one of 256 grey values may hold, share of a tile's pixels
    tiles: int = Field(8, ge=2, le=32)  # a side


class Input(Strict):
    """What the network sees. With `windows` pixels are Hounsfield units; without, intensities scaled to [0, 1].

    Three numbers in `size` mean volumes (NIfTI), in the order of RAS+: left to right, posterior to anterior, inferior to superior.
    """

    size: Annotated[
        tuple[int, int] | tuple[int, int, int], BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)
    ] = (299, 299)
    spacing_mm: Annotated[
        tuple[float, float, float] | None, BeforeValidator(lambda v: (v,) * 3 if isinstance(v, (int, float)) else v)
    ] = None  # volumes are resampled to it; None: as they are
    pad: bool = False  # volumes smaller than `size` get a border of background; False: they are refused
    volume: int | None = Field(None, ge=0)  # which volume of a 4D file; None: 4D is refused
    mask: str | None = None  # path of the brain mask below the data root, with {stem}, {folder} or a column in braces
    normalise: Literal["zscore", "percentile", "minmax", "none"] = "zscore"  # of a volume, inside mask or foreground
    patches: Patches | None = None
    keep: str = "none"  # none: read the files each epoch | memory: decoded volumes | path of a file by `medtf pack`
    windows: tuple[str | tuple[float, float], ...] | None = None  # names, or (centre, width) in HU
    window_jitter: tuple[float, float] = (0.0, 0.0)  # standard deviations of centre and width, HU; training only
    aspect: Literal["pad", "stretch"] = "pad"
    channels: Literal[1, 3] = 1  # of a PNG or JPEG; colour as grey unless 3
    clahe: Clahe | None = None  # of radiographs, before the resize
    # of DICOM that is not HU: the stored range, the 0.5th to 99.5th percentile, or the file's own window or VOI LUT
    intensity: Literal["full", "percentile", "voi"] = "percentile"
    # of PNG and JPEG: by their bits, or by the percentiles of each image
    raster: Literal["bits", "percentile"] = "bits"

    @field_validator("size")
    @classmethod
    def _sizes(cls, value):
        if min(value) < 8:
            raise ValueError("expected at least 8 pixels a side")
        return value

    @field_validator("windows")
    @classmethod
    def _windows(cls, value):
        from medtf.data.windows import window

        for item in value or ():
            try:
                window(item)
            except AskedWronglyError as error:
                raise ValueError(str(error)) from error  # pydantic adds the key to it
        return value

    @model_validator(mode="after")
    def _clahe(self):
        if self.clahe is not None and (self.windows is not None or len(self.size) == 3 or self.channels == 3):
            what = "volumes" if len(self.size) == 3 else "windows of CT" if self.windows is not None else "colour"
            raise ValueError(f"clahe is for grey images scaled to [0, 1], not for {what}: remove `clahe`")
        return self
