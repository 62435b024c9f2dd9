"""A training in stages, epochs counted through: those of `train.stages`, and the first epochs, in which `train.freeze` holds the encoder.

Each stage is a config of its own, with its own optimizer and its own course of the learning rate: warm-up and cosine begin anew.
"""

from typing import NamedTuple

from medtf.config import Config


class Stage(NamedTuple):
    """One stage: its number and how many there are, its config, and the epoch it begins with (from 0).

    Its config's `train.freeze` is `all` or 0: a stage holds the encoder throughout, or not at all.
    """

    number: int
    count: int
    config: Config
    first_epoch: int

    @property
    def last(self) -> bool:
        """Is the model judged after this one?"""
        return self.number == self.count - 1

    @property
    def frozen(self) -> bool:
        """Does the head alone learn?"""
        return self.config.train.freeze == "all"

    def line(self, whole: Config) -> str | None:
        """What the user is told of it; None where there is nothing to tell.

        Args:
            whole: the config of the whole training.
        """
        if self.count == 1:
            return "the encoder stays as it is (train.freeze: all): the head alone learns" if self.frozen else None
        said = [" x ".join(map(str, self.config.input.size))] if whole.train.stages else []
        if whole.train.freeze:
            said.append("head alone" if self.frozen else "encoder and head")
        epochs = self.config.train.epochs
        said.append(f"{epochs} epoch{'' if epochs == 1 else 's'}")
        return f"stage {self.number + 1} of {self.count}: {', '.join(said)}"


def of(config: Config) -> list[Stage]:
    """The stages of a training; one, the config itself, where it is all of one piece.

    Epochs of `train.freeze` are the first of the whole: a stage of `train.stages` in which they end is cut in two.
    """
    if not config.train.stages and config.train.freeze in (0, "all"):
        return [Stage(0, 1, config, 0)]
    pieces = _cut(_named(config), config.train.freeze)
    found, epoch = [], 0
    for number, raw in enumerate(pieces):
        found.append(Stage(number, len(pieces), Config.model_validate(raw), epoch))
        epoch += raw["train"]["epochs"]
    return found


def _named(config: Config) -> list[dict]:
    """The config of each stage of `train.stages`, as plain data; of the whole, where there are none."""
    if not config.train.stages:
        return [config.model_dump()]
    found = []
    for stage in config.train.stages:
        raw = config.model_dump()
        raw["input"] |= {k: v for k in ("size", "spacing_mm") if (v := getattr(stage, k)) is not None}
        raw["train"] |= {k: v for k in ("batch_size", "learning_rate") if (v := getattr(stage, k)) is not None}
        raw["train"] |= {"epochs": stage.epochs, "stages": ()}
        raw["augment"] = stage.augment.model_dump() if stage.augment is not None else raw["augment"]
        found.append(raw)
    return found


def _cut(stages: list[dict], freeze) -> list[dict]:
    """Each stage frozen, or not, or cut into a frozen piece and one that is not."""
    found = []
    left = sum(raw["train"]["epochs"] for raw in stages) if freeze == "all" else freeze
    for raw in stages:
        epochs = raw["train"]["epochs"]
        held = min(left, epochs)
        left -= held
        for count, state in ((held, "all"), (epochs - held, 0)):
            if count:
                found.append(raw | {"train": raw["train"] | {"epochs": count, "freeze": state}})
    return found
