"""What conformal sets and intervals say of new files: parameters that the judgement of a run fitted on its validation fold."""

import numpy as np
import pandas as pd

from medtf import runs
from medtf.config import Target
from medtf.evaluate.conformal_sets import interval, sets
from medtf.evaluate.predictions import class_names, columns


def promised(run: runs.Run, targets: dict[str, Target], found: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """{target: {column: values}}: `<t>_low` and `<t>_high` of a value, `<t>_set` of classes (names joined by |, perhaps none).

    Args:
        run: judged, else nothing is promised. targets: of its config. found: predictions.
    Returns:
        only targets whose conformal section has parameters. The promise is for one new patient like those of the validation fold.
    """
    if not (run.folder / "metrics.json").is_file():
        return {}
    judged, made = run.read_json("metrics.json").get("targets", {}), {}
    for name, target in targets.items():
        parameters = judged.get(name, {}).get("conformal", {}).get("parameters")
        if parameters is None:
            continue
        if target.kind == "regression":
            sd = found[f"{name}_sd"].to_numpy(np.float64) if parameters["scaled"] else None
            low, high = interval(found[name], parameters, sd=sd)
            made[name] = {f"{name}_low": low, f"{name}_high": high}
            continue
        raw = found[columns(name, target)].to_numpy(np.float64)
        inside = sets(raw[:, 0] if target.kind == "binary" else raw, parameters)
        labels = np.array(class_names(target), dtype=object)
        made[name] = {f"{name}_set": np.array(["|".join(labels[row]) for row in inside], dtype=object)}
    return made
