"""The part of the schema that says how an encoder is pretrained without labels."""

from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from medtf.errors import nearest
from medtf.schema_data import Strict

# name -> the kind of encoder that the task is for
TASKS: dict[str, Literal["transformer", "cnn", "any"]] = {
    "masked_autoencoder": "transformer",
    "masked_cnn": "cnn",
    "rotation": "any",
    "jigsaw": "any",
    "restore": "cnn",
}
# name -> the keys that it reads beside `task` and `draw_every`; a task of your own may read them all
READ: dict[str, set[str]] = {
    "masked_autoencoder": {"mask", "normalise", "decoder_width", "decoder_depth"},
    "masked_cnn": {"mask", "square", "normalise"},
    "rotation": set(),
    "jigsaw": {"grid", "permutations"},
    "restore": {"swaps"},
}


class Pretrain(Strict):
    """A proxy task: its labels are made of the images themselves, so `targets` stay away."""

    task: str  # a name of TASKS, or the path of a .py file with a class `Pretraining`
    mask: float = Field(0.75, gt=0, lt=1)  # masked_autoencoder, masked_cnn: share of the patches that is hidden
    square: int = Field(16, ge=2)  # masked_cnn: side of a hidden square, in pixels
    normalise: bool = True  # masked_autoencoder, masked_cnn: pixels of each patch are told in its own deviations
    # masked_autoencoder: a light decoder. Eight blocks of 512 (He 2022, table 1) cost more than all of ViT-S and leave little of what hiding
    # saves; fine-tuning found no difference from one block to eight, nor from a width of 128 to 512. Xiao 2023: two blocks of 512 for ViT-S
    decoder_width: int = Field(256, ge=8, multiple_of=4)
    decoder_depth: int = Field(2, ge=1)
    grid: int = Field(3, ge=2, le=4)  # jigsaw: tiles a side
    permutations: int = Field(30, ge=2, le=1000)  # jigsaw: orders of the tiles to be told apart
    swaps: int = Field(10, ge=1)  # restore: pairs of squares that change places
    draw_every: int = Field(5, ge=1)  # epochs between two pictures of what the task makes of the same images
    options: dict[str, Any] = Field(default_factory=dict)  # what a task of your own reads

    @field_validator("task")
    @classmethod
    def _task(cls, value):
        if value not in TASKS and not value.endswith(".py"):
            raise ValueError(f"unknown task {value!r}: {nearest(value, TASKS)} (or give the path of a .py file)")
        return value

    @model_validator(mode="after")
    def _unread(self):
        fields = type(self).model_fields
        for key in sorted(set(fields) - {"task", "draw_every"} - READ.get(self.task, set(fields))):
            if getattr(self, key) != fields[key].get_default(call_default_factory=True):
                raise ValueError(f"{key}: {self.task} does not read it: remove the key")
        return self

    @property
    def name(self) -> str:
        """The task's name; of a file of your own, the file's."""
        return PurePath(self.task).stem
