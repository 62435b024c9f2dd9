"""Progressive training: the stages of `train.stages` as configs of their own, epochs counted through."""

from typing import NamedTuple

from medtf.config import Config


class Stage(NamedTuple):
    """One stage: its number and how many there are, its config, and the epoch it begins with (from 0)."""

    number: int
    count: int
    config: Config
    first_epoch: int

    @property
    def last(self) -> bool:
        """Is the model judged after this one?"""
        return self.number == self.count - 1


def of(config: Config) -> list[Stage]:
    """The stages of a training; one, the config itself, where none are named."""
    if not config.train.stages:
        return [Stage(0, 1, config, 0)]
    found, epoch = [], 0
    for number, stage in enumerate(config.train.stages):
        raw = config.model_dump()
        raw["input"] |= {k: v for k in ("size", "spacing_mm") if (v := getattr(stage, k)) is not None}
        raw["train"] |= {k: v for k in ("batch_size", "learning_rate") if (v := getattr(stage, k)) is not None}
        raw["train"] |= {"epochs": stage.epochs, "stages": ()}
        raw["augment"] = stage.augment.model_dump() if stage.augment is not None else raw["augment"]
        found.append(Stage(number, len(config.train.stages), Config.model_validate(raw), epoch))
        epoch += stage.epochs
    return found
