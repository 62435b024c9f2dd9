"""The part of the schema that says which heat maps are drawn while a network learns."""

from pydantic import Field

from medtf.schema_data import Strict


class Explain(Strict):
    """Pictures of a few validation examples under their heat maps, for looking on; nothing is drawn at random for them."""

    every: int = Field(0, ge=0)  # epochs between two pictures; 0: none
    examples: int = Field(8, ge=1, le=64)  # of the validation fold, always the same
    method: str = "grad-cam"  # a name of medtf.explain.methods
    target: str | None = None  # None: the first binary target, else the first
