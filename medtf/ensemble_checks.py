"""What cannot be an ensemble: other targets, other masks, other salts, other images."""

from medtf.config import Config
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

KEY = ["path", "read_frame"]  # of an example, in whatever table it stands


def refuse_targets(names: list[str], configs: list[Config]) -> None:
    """The mean of answers to different questions means nothing.

    Raises:
        AskedWronglyError: names the two runs and the target.
    """

    def meaning(target):
        told = target.model_dump(include={"kind", "positive", "negative", "classes"})
        return told | {"gaussian": target.head == "gaussian"}

    for name, config in zip(names[1:], configs[1:], strict=True):
        if set(config.targets) != set(configs[0].targets):
            raise AskedWronglyError(
                f"an ensemble needs equal targets: {names[0]} has {', '.join(configs[0].targets)}; {name} has {', '.join(config.targets)}"
            )
        for target, one in configs[0].targets.items():
            if meaning(one) != meaning(config.targets[target]):
                raise AskedWronglyError(
                    f"target {target!r} differs between {names[0]} and {name}: expected equal kinds, classes, positive values, and a"
                    " Gaussian head in all or in none"
                )
        if config.input.mask != configs[0].input.mask:
            raise AskedWronglyError(
                f"input.mask differs between {names[0]} and {name}: expected the same masks for all"
            )


def refuse_tables(names: list[str], own: list[Table]) -> None:
    """Members must know people by the same hashes, and have seen the same images.

    Raises:
        MedtfError: names the two runs, and what differs.
    """
    keys = [set(map(tuple, table.frame[KEY].to_numpy())) for table in own]
    for name, table, theirs in zip(names[1:], own[1:], keys[1:], strict=True):
        salts = own[0].meta.get("salt"), table.meta.get("salt")
        if salts[0] != salts[1]:
            raise MedtfError(
                f"{names[0]} and {name}: their tables were hashed with different salts ({salts[0] or 'unknown'} and"
                f" {salts[1] or 'unknown'}), so the same person cannot be found in both: index both with one MEDTF_SALT"
            )
        if theirs != keys[0]:
            raise MedtfError(
                f"{names[0]} and {name}: their tables hold different images ({len(keys[0] ^ theirs):,} stand in one alone):"
                " index once, and train all members on that table"
            )


def refuse_known(table: Table, names: list[str], own: list[Table], seen: list) -> None:
    """Other people are those whom no member was trained on or steered by, and none of whose pictures it has seen under another name.

    Raises:
        MedtfError: another salt, or how many are known to which member.
    """
    if table.meta.get("salt") != own[0].meta.get("salt"):
        raise MedtfError(
            f"--table and {names[0]} were hashed with different salts, so nobody can be found in both: index both with one MEDTF_SALT"
        )
    for name, learnt in zip(names, seen, strict=True):
        for column, what in (("patient", "people"), ("pixels", "pictures")):
            if column not in table.frame:
                continue  # pixels are hashed by `medtf index --pixels`, or by `fit` itself
            here = set(table.frame[column]) - {""}
            count = len(here & set(learnt[column]))
            if count:
                raise MedtfError(
                    f"--table: {count:,} of {len(here):,} {what} stand in the train or validation fold of {name}, or of what it"
                    " began with: leave them out, since"
                    " an ensemble is judged on people that none of its members knows"
                )
