"""Read and write configs: YAML in, strict models out. Configs are data: no class paths, no expressions.

Unknown keys are errors that name the nearest key there is; `--set train.epochs=3` overrides one value; the resolved config is saved with
the run. What may stand in a config is in `schema.py` and `schema_data.py`.
"""

from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from medtf.errors import AskedWronglyError, nearest
from medtf.schema import Augment, Config, Evaluate, Model, Stage, Track, Train
from medtf.schema_data import Clahe, Data, Input, Labels, Patches, Split, Target, Undersample, Uniform
from medtf.schema_explain import Explain
from medtf.schema_pretrain import Pretrain

__all__ = [
    "Augment", "Clahe", "Config", "Data", "Evaluate", "Explain", "Input", "Labels", "Model", "Patches", "Pretrain", "Split", "Stage", "Target",
    "Track", "Train", "Undersample", "Uniform", "dump", "judged_as", "load", "override", "parse", "shipped",
]  # fmt: skip


def load(source: str, overrides: tuple[str, ...] = ()) -> Config:
    """The config of a shipped name (`rsna_ich`) or a YAML file, with `a.b=value` overrides (values are YAML)."""
    text, named = _read(source)
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise AskedWronglyError(
            f"{named}: not YAML: {where}{getattr(error, 'problem', None) or str(error).splitlines()[0]}"
        ) from error
    if not isinstance(raw, dict):
        found = (
            "an empty file" if raw is None else {"list": "a list", "str": "a text"}.get(type(raw).__name__, "a value")
        )
        raise AskedWronglyError(f"{named}: expected `key: value` lines such as `pipeline: rsna_ich`, found {found}")
    for one in overrides:
        override(raw, one)
    return parse(raw, named)


def parse(raw: dict, named: str = "config") -> Config:
    """Validate a plain dict; every fault becomes one line that names the key and the nearest there is."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise AskedWronglyError(f"{named}: " + "; ".join(_fault(e) for e in error.errors()[:5])) from error


def judged_as(config: Config, overrides: tuple[str, ...]) -> Config:
    """A run's config with other `evaluate.key=value`; the rest was settled by the training.

    Raises:
        AskedWronglyError: another section, or the threshold, which `medtf threshold` chooses.
    """
    raw = config.model_dump(mode="json")
    for one in overrides:
        key = one.partition("=")[0]
        if not key.startswith("evaluate."):
            raise AskedWronglyError(
                f"--set {one}: a run that is trained takes keys of `evaluate` alone, such as evaluate.calibrate=platt"
            )
        if key.startswith("evaluate.threshold"):
            raise AskedWronglyError(f"--set {one}: choose it with `medtf threshold RUN`, on the validation fold")
        override(raw, one)
    return parse(raw, "--set") if overrides else config


def dump(config: Config) -> str:
    """The resolved config as YAML; `load` of it gives an equal config."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def shipped() -> list[str]:
    """Names of the configs that come with medtf."""
    return sorted(
        p.name.removesuffix(".yaml") for p in resources.files("medtf.configs").iterdir() if p.name.endswith(".yaml")
    )


def _read(source: str) -> tuple[str, str]:
    path = Path(source).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if path.is_dir():
            raise AskedWronglyError(f"{source}: is a folder; expected a config file")
        if not path.is_file():
            raise AskedWronglyError(f"{source}: no such config file")
        try:
            return path.read_text(encoding="utf-8-sig"), str(path)
        except UnicodeDecodeError as error:
            raise AskedWronglyError(f"{source}: not UTF-8 (byte {error.start + 1}): save the file as UTF-8") from error
    if source not in shipped():
        raise AskedWronglyError(f"unknown config {source!r}: {nearest(source, shipped())} (or give a .yaml file)")
    return (resources.files("medtf.configs") / f"{source}.yaml").read_text(encoding="utf-8"), source


def override(raw: dict, override: str) -> None:
    """Set one `a.b=value` in a plain dict, in place."""
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise AskedWronglyError(f"--set {override!r}: expected key=value, such as train.epochs=3")
    *parents, last = key.split(".")
    node = raw
    for part in parents:
        child = node.get(part)
        # `undersample: fixed` may become a mapping when one of its keys is set
        node[part] = (
            dict(child)
            if isinstance(child, dict)
            else ({} if child is None else {"policy": child} if part == "undersample" else {})
        )
        node = node[part]
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise AskedWronglyError(f"--set {override!r}: the value is not YAML") from error


def _fault(error: dict) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}: {nearest(str(error['loc'][-1]), _keys_beside(error['loc']))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] != "value_error":
        message = f"{_EXPECTED.get(error['type'], message[0].lower() + message[1:])}, found {_shown(error['input'])}"
    return f"{where}: {message}" if where else message


# pydantic's kinds of errors whose own words speak of Python
_EXPECTED = {
    "bool_parsing": "expected true or false",
    "dict_type": "expected `key: value` lines",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "invalid_key": "expected a key that is a text",
    "missing": "is missing",
    "model_type": "expected `key: value` lines",
    "string_type": "expected a text",
    "tuple_type": "expected a list such as [a, b]",
}


def _shown(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_beside(location: tuple) -> list[str]:
    """The keys that the section holding `location` knows."""
    model: Any = Config
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        annotation = field.annotation if field else None
        sections = [
            one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and issubclass(one, BaseModel)
        ]
        if not sections:
            return list(Target.model_fields) if "targets" in location else []
        model = sections[0]  # `Clahe | None`: what may be left out has keys too
    return list(model.model_fields)
