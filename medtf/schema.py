"""The schema of a config: strict models whose fields say what an experiment can be told, in which range."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from medtf.errors import AskedWronglyError, nearest


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Strict):
    """One column to learn. `kind` binary: NaN or empty = unknown; multiclass: `classes` in order; regression: in the column's unit."""

    kind: Literal["binary", "multiclass", "regression"]
    positive: Any = None  # binary: the value that counts as 1; None: the column holds 0 and 1
    negative: Any = None  # binary: the value that counts as 0; None: every other value that is not empty
    classes: tuple[Any, ...] = ()

    @property
    def units(self) -> int:
        """Width k of the labels and outputs, (batch, k)."""
        return len(self.classes) if self.kind == "multiclass" else 1


def _target(value):
    """`binary` | `regression` | {binary: {positive: M}} | {classes: [...]} -> the arguments of Target."""
    if isinstance(value, Target):
        return value
    if value in ("binary", "regression"):
        return {"kind": value}
    if isinstance(value, dict) and set(value) == {"binary"}:
        return {"kind": "binary", **(value["binary"] or {})}
    if isinstance(value, dict) and set(value) == {"classes"}:
        if not isinstance(value["classes"], list) or len(value["classes"]) < 2:
            raise ValueError("expected `classes` to be a list of at least two values")
        return {"kind": "multiclass", "classes": tuple(value["classes"])}
    if isinstance(value, dict) and "kind" in value:
        return value
    raise ValueError("expected `binary`, `regression`, {binary: {positive: VALUE}} or {classes: [A, B, ...]}")


class Split(_Strict):
    """How patients come into folds. `column`: folds stand in the table; `folds` + `test_fold`: k folds, the next one validates."""

    valid: float = Field(0.1, ge=0, lt=1)
    test: float = Field(0.1, ge=0, lt=1)
    folds: int | None = Field(None, ge=2)
    test_fold: int = Field(0, ge=0)
    stratify: tuple[str, ...] = ()
    seed: int = 0


class Undersample(_Strict):
    """Which examples of the majority an epoch sees; `ratio` = majority examples for each one of the minority."""

    policy: Literal["none", "fixed", "each_epoch", "weighted"] = "none"
    target: str | None = None  # None: the first target
    ratio: float = Field(1.0, gt=0)
    level: Literal["examples", "patients"] = "examples"


class Data(_Strict):
    """Where the table comes from and how its rows are ordered."""

    table: str | None = None
    columns: dict[str, str] = {}
    split: Split = Split()
    undersample: Annotated[Undersample, BeforeValidator(lambda v: {"policy": v} if isinstance(v, str) else v)] = (
        Undersample()
    )
    on_error: Literal["fail"] = "fail"
    check_pixels_up_to: int = Field(20_000, ge=0)  # examples; above this `fit` says what the pixel pass would cost


class Input(_Strict):
    """What the network sees. With `windows` pixels are Hounsfield units; without, intensities scaled to [0, 1]."""

    size: Annotated[tuple[int, int], BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)] = (299, 299)
    windows: tuple[str | tuple[float, float], ...] | None = None  # names, or (centre, width) in HU
    window_jitter: tuple[float, float] = (0.0, 0.0)  # standard deviations of centre and width, HU; training only
    aspect: Literal["pad", "stretch"] = "pad"
    channels: Literal[1, 3] = 1  # of a PNG or JPEG; colour as grey unless 3
    intensity: Literal["full", "percentile"] = (
        "percentile"  # radiographs in DICOM: the stored range, or 0.5th to 99.5th percentile
    )

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


class Model(_Strict):
    """Backbone and head."""

    name: str = "inception_v3"
    weights: str = "none"  # imagenet | none | a path to a run folder, .keras or .weights.h5
    dropout: float = Field(0.5, ge=0, lt=1)
    norm: Literal["batch", "group"] = "batch"
    norm_momentum: float | Literal["auto"] = "auto"  # of batch norm's moving averages; auto: by the number of steps

    @field_validator("name")
    @classmethod
    def _name(cls, value):
        from medtf.models.names import BACKBONES

        if value not in BACKBONES:
            raise ValueError(f"unknown model {value!r}: {nearest(value, BACKBONES)}")
        return value


class Augment(_Strict):
    """Random changes of the batch, in the training step only. Zero switches a change off."""

    flip: float = Field(0.0, ge=0, le=1)  # probability of a left-right flip
    rotate: float = Field(0.0, ge=0, le=180)  # degrees, uniform in +-
    zoom: float = Field(0.0, ge=0, lt=1)  # share, uniform in 1 +-
    translate: float = Field(0.0, ge=0, lt=1)  # share of the side, uniform in +-
    contrast: float = Field(0.0, ge=0, lt=1)  # factor, uniform in 1 +-
    brightness: float = Field(0.0, ge=0, lt=1)  # of channels in [0, 1], uniform in +-
    noise: float = Field(0.0, ge=0, lt=1)  # standard deviation of Gaussian noise
    erase: float = Field(0.0, ge=0, le=1)  # probability that a rectangle is erased
    mixup: float = Field(0.0, ge=0)  # alpha of the Beta distribution (Zhang 2018)


class Train(_Strict):
    """The optimisation."""

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)  # share of all steps
    schedule: Literal["cosine", "constant"] = "cosine"
    ema: float = Field(0.0, ge=0, lt=1)  # momentum of the weights' moving average; 0 = off
    clip_norm: float | None = Field(1.0, gt=0)  # of the global gradient
    accumulate: int = Field(1, ge=1)  # batches to a step of the optimizer
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    regression_loss: Literal["absolute", "squared", "huber"] = "absolute"
    loss_weights: dict[str, float] = {}
    class_weight: Literal["none", "balanced"] = "none"
    early_stopping: int | None = Field(None, ge=1)  # epochs without a better `monitor`
    monitor: str = "val_loss"
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    jit: Literal["auto"] | bool = "auto"
    checkpoint_minutes: float = Field(5.0, gt=0)
    seed: int = Field(0, ge=0)


class Evaluate(_Strict):
    """How the model is judged."""

    threshold: Literal["youden"] | float = "youden"  # chosen on the validation fold
    prevalence: float | None = Field(
        None, gt=0, lt=1
    )  # of the first target, for predictive values beside those at the data's
    replicates: int = Field(1000, ge=0)  # of the patient bootstrap
    aggregate: Literal["max", "mean"] = "max"  # slices to a patient


class Track(_Strict):
    """Where a run is told of. W&B comes with the versions issue; `none` keeps everything in the run folder."""

    backend: Literal["none"] = "none"


class Config(_Strict):
    """A whole experiment."""

    pipeline: str
    targets: dict[str, Annotated[Target, BeforeValidator(_target)]] = {}
    data: Data = Data()
    input: Input = Input()
    model: Model = Model()
    augment: Augment = Augment()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    track: Track = Track()

    @model_validator(mode="after")
    def _names(self):
        for name in self.targets:
            if not name.replace("_", "").isalnum():
                raise ValueError(
                    f"target {name!r}: expected letters, digits and _ (map the column with data.columns: {{new_name: {name!r}}})"
                )
        for key, names in (("train.loss_weights", self.train.loss_weights), ("data.split.stratify", ())):
            for name in names:
                if name not in self.targets:
                    raise ValueError(f"{key}: {name!r} is no target: {nearest(name, self.targets)}")
        target = self.data.undersample.target
        if target is not None and target not in self.targets:
            raise ValueError(f"data.undersample.target: {target!r} is no target: {nearest(target, self.targets)}")
        return self
