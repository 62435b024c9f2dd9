"""The section `evaluate` of a config: how a model is judged."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from medtf.schema_data import Strict

SHARES = ("sensitivity", "specificity")
FEWEST_DRAWS = 40
DEAREST = 1e6  # a miss that costs more false alarms than this means: call everybody positive


class Rule(Strict):
    """How a binary target's threshold is chosen on the validation fold.

    `youden`; at least a `sensitivity` (then the highest specificity) or the other way round; `cost`: what a miss costs, in false alarms,
    at `prevalence` where that is given, else at the validation fold's; a number: taken as it is.
    """

    rule: Literal["youden", "sensitivity", "specificity", "cost", "fixed"] = "youden"
    value: float | None = (
        None  # of sensitivity and specificity, in (0, 1]; of cost, above 0; of a fixed threshold, in [0, 1]
    )
    prevalence: float | None = Field(
        None, gt=0, lt=1
    )  # of the examples where the model is meant for (patients of several take the validation fold's); rule `cost` alone

    @classmethod
    def of(cls, value) -> "Rule":
        """A rule as a config writes it, or a Rule."""
        return cls.model_validate(a_rule(value))

    @model_validator(mode="after")
    def _fits(self):
        low = {"fixed": -1e-9}.get(self.rule, 0.0)
        high = {"cost": DEAREST}.get(self.rule, 1.0)
        range_ = {"cost": f"above 0, at most {DEAREST:g}", "fixed": "from 0 to 1"}.get(self.rule, "above 0, at most 1")
        if (self.rule == "youden") != (self.value is None):
            raise ValueError(f"{self.rule}: expected {'no number' if self.rule == 'youden' else 'a number'}")
        if self.value is not None and not low < self.value <= high:
            raise ValueError(f"{self.rule}: expected a number {range_}, got {self.value:g}")
        if self.prevalence is not None and self.rule != "cost":
            raise ValueError("prevalence goes with `cost`: {cost: 5, prevalence: 0.1}")
        return self


def a_rule(value):
    """`youden`, a number, {sensitivity: 0.95}, {specificity: 0.9} or {cost: 5, prevalence: 0.1} as the fields of a Rule."""
    if isinstance(value, Rule) or (isinstance(value, dict) and "rule" in value):
        return value
    if value == "youden":
        return {"rule": "youden"}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"rule": "fixed", "value": value}
    named = [key for key in (*SHARES, "cost") if isinstance(value, dict) and key in value]
    if len(named) != 1 or not set(value) <= {named[0], "prevalence"}:
        raise ValueError(
            "expected `youden`, a number from 0 to 1, {sensitivity: 0.95}, {specificity: 0.9} or {cost: 5, prevalence: 0.1}"
        )
    return {"rule": named[0], "value": value[named[0]]} | (
        {"prevalence": value["prevalence"]} if "prevalence" in value else {}
    )


class Aggregate(Strict):
    """How the answers of several examples become one of their patient (or series)."""

    how: Literal["max", "mean", "top", "noisy_or"] = "max"
    k: int = Field(3, ge=1)  # of `top`: the mean of the k highest

    @classmethod
    def of(cls, value) -> "Aggregate":
        """As a config or `text` writes it, or an Aggregate."""
        return cls.model_validate(an_aggregate(value))

    @property
    def text(self) -> str:
        """As a config and a report name it."""
        return f"top {self.k}" if self.how == "top" else self.how


def an_aggregate(value):
    """`max`, `mean`, `noisy_or`, `top 3` or {top: 3} as the fields of an Aggregate."""
    if isinstance(value, str):
        how, _, k = value.partition(" ")
        return {"how": how} | ({"k": k} if k else {})
    return {"how": "top", "k": value["top"]} if isinstance(value, dict) and set(value) == {"top"} else value


class Evaluate(Strict):
    """How the model is judged."""

    threshold: Annotated[Rule, BeforeValidator(a_rule)] = Rule()  # chosen on the validation fold
    prevalence: float | None = Field(
        None, gt=0, lt=1
    )  # of the first target, where the model is meant for: for predictive values, and for the correction of the prior
    replicates: int = Field(2000, ge=0)  # of the patient bootstrap
    intervals: Literal["auto", "bca", "percentile"] = "auto"  # auto: the statistic's own where it has one, else BCa
    aggregate: Annotated[Aggregate, BeforeValidator(an_aggregate)] = Aggregate()  # examples to a patient
    subgroups: tuple[str, ...] | None = None  # columns by whose groups errors are given; None: sex, site, age if there
    match_on: str = "auto"  # column on which positives and negatives are matched; auto: sex on foreground_ml; none
    calibrate: Literal["none", "temperature", "platt", "isotonic"] = "none"  # fitted on the validation fold
    correct_prior: bool = False  # probabilities brought from the training stream's prevalence to `prevalence`
    miscoverage: float | None = Field(0.1, gt=0, lt=1)  # of conformal sets and intervals; None: none are made
    mc_dropout: int = Field(0, ge=0)  # passes with dropout left on; 0: none
    tta: int = Field(0, ge=0)  # passes over randomly changed images (the config's own `augment`); 0: none
    gallery: int = Field(8, ge=0, le=48)  # images of each kind in the report: worst mistakes, least certain

    @field_validator("replicates")
    @classmethod
    def _enough(cls, value):
        if 0 < value < FEWEST_DRAWS:
            raise ValueError(
                f"expected 0 (no intervals) or at least {FEWEST_DRAWS}: fewer draws have no 2.5th percentile, got {value}"
            )
        return value

    @field_validator("mc_dropout", "tta")
    @classmethod
    def _several(cls, value):
        if value == 1:
            raise ValueError("one pass has no spread: expected 0 (none), or at least 2; 20 is usual")
        return value
