"""The schema of a config: strict models whose fields say what an experiment can be told, in which range."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from medtf.errors import nearest
from medtf.schema_data import Data, Input, Strict, Target, target
from medtf.schema_evaluate import Evaluate
from medtf.schema_explain import Explain
from medtf.schema_pretrain import TASKS, Pretrain


class Model(Strict):
    """Backbone and head."""

    name: str = "inception_v3"
    weights: str = "none"  # imagenet | none | a path to a run folder, .keras or .weights.h5
    dropout: float = Field(0.5, ge=0, lt=1)
    pool: Literal["gap", "token"] = (
        "gap"  # what a transformer's head reads: the mean of its patches, or the class token
    )
    drop_path: float = Field(0.0, ge=0, lt=1)  # transformers: rate at the last block, rising from 0 (Huang 2016)
    norm: Literal["batch", "group", "instance"] = "batch"
    se: bool = False  # squeeze-and-excitation after each block (3D networks; Hu 2018)
    init: Literal["he", "glorot"] = "he"  # of the convolutions (3D networks)
    norm_momentum: float | Literal["auto"] = "auto"  # of batch norm's moving averages; auto: by the number of steps

    @field_validator("name")
    @classmethod
    def _name(cls, value):
        from medtf.models.names import BACKBONES, TRANSFORMERS, VOLUME_BACKBONES

        known = [*BACKBONES, *TRANSFORMERS, *VOLUME_BACKBONES]
        if value not in known:
            raise ValueError(f"unknown model {value!r}: {nearest(value, known)}")
        return value

    @property
    def dimensions(self) -> int:
        """3 for a network of volumes, else 2."""
        from medtf.models.names import VOLUME_BACKBONES

        return 3 if self.name in VOLUME_BACKBONES else 2

    @property
    def transformer(self) -> bool:
        """Is it a vision transformer?"""
        from medtf.models.names import TRANSFORMERS

        return self.name in TRANSFORMERS


class Augment(Strict):
    """Random changes of the batch, in the training step only. Zero switches a change off."""

    flip: float = Field(0.0, ge=0, le=1)  # probability of a left-right flip
    rotate: float = Field(0.0, ge=0, le=180)  # degrees, uniform in +-
    zoom: float = Field(0.0, ge=0, lt=1)  # share, uniform in 1 +-
    translate: float = Field(0.0, ge=0, lt=1)  # share of the side, uniform in +-
    contrast: float = Field(0.0, ge=0, lt=1)  # factor, uniform in 1 +-
    brightness: float = Field(0.0, ge=0, lt=1)  # of channels in [0, 1], or in a volume's deviations; uniform in +-
    noise: float = Field(0.0, ge=0, lt=1)  # deviation of Gaussian noise; volumes: the largest, as a share of their own
    erase: float = Field(0.0, ge=0, le=1)  # probability that a rectangle is erased
    mixup: float = Field(0.0, ge=0)  # alpha of the Beta distribution (Zhang 2018)
    cutmix: float = Field(0.0, ge=0)  # alpha of the Beta distribution (Yun 2019); with mixup, one of the two a batch
    # volumes only
    share: float = Field(
        0.5, gt=0, le=1
    )  # of the volumes that each change below, or of rotate ... noise above, touches
    elastic: float = Field(0.0, ge=0)  # voxels: the largest displacement of a control point
    bias: float = Field(0.0, ge=0)  # largest coefficient of the bias field's polynomial, as in TorchIO
    gamma: float = Field(0.0, ge=0, lt=2)  # log of the exponent, uniform in +-
    rician: float = Field(0.0, ge=0, lt=1)  # largest deviation of both channels of Rician noise, as a share of its own
    blur: float = Field(0.0, ge=0)  # voxels: the largest standard deviation of a Gaussian
    ghosting: float = Field(0.0, ge=0, lt=1)  # largest strength of the ghosts
    motion: float = Field(0.0, ge=0, le=45)  # degrees: the largest rotation between two parts of k-space
    low_resolution: float = Field(0.0, ge=0)  # largest factor of downsampling less 1; 1.0: up to twice as coarse
    cutout: float = Field(0.0, ge=0, le=1)  # probability that a box is erased


class Stage(Strict):
    """One stage of progressive training: what is None stays as the config says."""

    epochs: int = Field(ge=1)
    size: tuple[int, int] | tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    augment: Augment | None = None

    @field_validator("size", "spacing_mm", mode="before")
    @classmethod
    def _three(cls, value):
        return (value,) * 3 if isinstance(value, (int, float)) else value  # a plane names its two numbers


class Train(Strict):
    """The optimisation."""

    epochs: int = Field(10, ge=1)
    stages: tuple[Stage, ...] = ()  # progressive training, one after the other, in place of `epochs`
    batch_size: int = Field(32, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)  # share of all steps
    schedule: Literal["cosine", "constant"] = "cosine"
    ema: float = Field(0.0, ge=0, lt=1)  # momentum of the weights' moving average; 0 = off
    layer_decay: float = Field(
        1.0, gt=0, le=1
    )  # learning rate of each layer below the head, times that above it (Clark 2020)
    # epochs at first in which the encoder stays as it is; all: it is never changed
    freeze: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    clip_norm: float | None = Field(1.0, gt=0)  # of the global gradient
    accumulate: int = Field(1, ge=1)  # batches to a step of the optimizer
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    regression_loss: Literal["absolute", "squared", "huber"] = "absolute"
    loss_weights: dict[str, float] = Field(default_factory=dict)
    class_weight: Literal["none", "balanced"] = "none"
    early_stopping: int | None = Field(None, ge=1)  # epochs without a better `monitor`
    monitor: str = "val_loss"
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    jit: Literal["auto"] | bool = "auto"
    checkpoint_minutes: float = Field(5.0, gt=0)
    seed: int = Field(0, ge=0)


class Track(Strict):
    """Where a run is told of. W&B comes with the versions issue; `none` keeps everything in the run folder."""

    backend: Literal["none"] = "none"


class Config(Strict):
    """A whole experiment."""

    pipeline: str
    targets: dict[str, Annotated[Target, BeforeValidator(target)]] = Field(default_factory=dict)
    data: Data = Data()
    input: Input = Input()
    model: Model = Model()
    augment: Augment = Augment()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    pretrain: Pretrain | None = None  # a task that makes its own labels, in place of targets
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
        for key, name in (
            ("data.undersample.target", self.data.undersample.target),
            ("explain.target", self.explain.target),
        ):
            if name is not None and name not in self.targets:
                raise ValueError(f"{key}: {name!r} is no target: {nearest(name, self.targets)}")
        return self

    @model_validator(mode="after")
    def _task(self):
        if self.pretrain is None:
            return self
        if self.targets:
            raise ValueError(
                "targets: a pretraining makes its labels of the images themselves: remove `targets`, or `pretrain`"
            )
        if self.explain.every:
            raise ValueError("explain.every: a pretraining has no answer to be explained: leave it at 0")
        if self.data.undersample.policy != "none":
            raise ValueError("data.undersample: a pretraining knows no classes: leave it at none")
        if self.augment.mixup or self.augment.cutmix:
            raise ValueError("augment: mixup and cutmix mix labels, and a pretraining has none: remove them")
        if self.model.dimensions == 3:
            raise ValueError(f"pretrain: is for images; {self.model.name} takes volumes")
        for part, names in (
            ("model", ("dropout",)),
            ("train", ("loss", "regression_loss", "class_weight")),
            ("data", ("labels",)),
        ):
            section = getattr(self, part)
            for name in names:
                if getattr(section, name) != type(section).model_fields[name].default:
                    raise ValueError(f"{part}.{name}: is for targets; a pretraining reads no labels: remove it")
        kind = TASKS.get(self.pretrain.task, "any")
        if kind != "any" and (kind == "transformer") != self.model.transformer:
            others = [task for task, other in TASKS.items() if other != kind]
            raise ValueError(
                f"pretrain.task: {self.pretrain.task} takes a {'vision transformer' if kind == 'transformer' else 'convolutional network'},"
                f" and {self.model.name} is none; it can learn by {', '.join(others)}"
            )
        return self

    @model_validator(mode="after")
    def _transfer(self):
        train = self.train
        if self.pretrain is not None and (train.freeze or train.layer_decay != 1):
            key = "freeze" if train.freeze else "layer_decay"
            raise ValueError(f"train.{key}: is for a training with targets; a pretraining teaches the whole encoder")
        if train.freeze in (0, "all"):
            return self
        epochs = sum(stage.epochs for stage in train.stages) or train.epochs
        if train.freeze >= epochs:
            raise ValueError(
                f"train.freeze: {train.freeze} of {epochs} epochs: the encoder would never learn; take fewer, or freeze: all to mean it"
            )
        if self.model.weights == "none":
            raise ValueError(
                f"train.freeze: {train.freeze}: with model.weights: none the encoder would be held at random weights; name weights, or"
                " take freeze: all to see what a head makes of random features"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _cube(cls, raw):
        """`size: 96` is a cube for a network of volumes."""
        if (
            not isinstance(raw, dict)
            or not isinstance(raw.get("input"), dict)
            or not isinstance(raw.get("model"), dict)
        ):
            return raw
        from medtf.models.names import VOLUME_BACKBONES

        size = raw["input"].get("size")
        if raw["model"].get("name") in VOLUME_BACKBONES and isinstance(size, int):
            return raw | {"input": raw["input"] | {"size": (size,) * 3}}
        return raw

    @model_validator(mode="after")
    def _dimensions(self):
        size, dimensions = self.input.size, self.model.dimensions
        if len(size) != dimensions:
            raise ValueError(
                f"input.size: {self.model.name} is a {dimensions}D network and takes {dimensions} numbers, got {list(size)}"
            )
        volumes = {"spacing_mm", "pad", "volume", "mask", "normalise", "patches", "keep"} & self.input.model_fields_set
        changed = [key for key in sorted(volumes) if getattr(self.input, key) != Input.model_fields[key].default]
        if dimensions == 2 and changed:
            raise ValueError(f"input.{changed[0]} is for volumes; {self.model.name} is a 2D network")
        if self.train.stages:
            for key in ("size", "spacing_mm"):
                last = getattr(self.train.stages[-1], key)
                if last is not None and last != getattr(self.input, key):
                    raise ValueError(
                        f"train.stages: the last one's {key} is {list(last)}, but the model is judged at input.{key}: make them equal"
                    )
            wrong = [
                stage.size for stage in self.train.stages if stage.size is not None and len(stage.size) != dimensions
            ]
            if self.model.transformer and any(stage.size not in (None, size) for stage in self.train.stages):
                raise ValueError(
                    f"train.stages: {self.model.name} has a position for each patch, so all stages have one size; for another size begin a"
                    " new training with model.weights, which interpolates the positions"
                )
            if wrong:
                raise ValueError(f"train.stages: size {list(wrong[0])}: {self.model.name} takes {dimensions} numbers")
        if dimensions == 3 and self.input.windows is not None:
            raise ValueError("input.windows is for CT slices; a 3D network takes intensities: see input.normalise")
        return self
