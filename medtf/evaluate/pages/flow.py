"""From what was found to what was judged, counted at each step: the flow diagram that STARD 2015 and TRIPOD+AI ask for."""

import pandas as pd

SHOWN = 6  # reasons in the diagram; the rest is counted together there, and listed below it


def flow(
    folds: pd.DataFrame,
    excluded: pd.DataFrame | None,
    metrics: dict,
    selected: dict | None = None,
    labelled: dict | None = None,
) -> dict:
    """Count the steps.

    Args:
        folds: one row a fold; `fold`, `examples` and, where known, `patients`.
        excluded: `reason` and `count` of what was left out before there was a table, or None.
        metrics: of metrics.json: which fold was judged, and how many of its labels are unknown.
        selected: {"dropped": examples that `data.select` did not take, "by": {column: values}}, or None where all were taken.
        labelled: {"dropped": training examples, "patients", "of"} where `data.labels` took a share of the training patients, or None.

    Returns:
        `found` and `left_out` (counts), `reasons` ([{reason, count}], most frequent first), `shown` (the same, cut to fit a box),
        `selected` ({dropped, by} or None), `labelled` (as given), `table` (examples, patients), `folds` ([{fold, examples, patients, judged}]),
        `labels` ([{target, known, unknown}] of the fold judged).
    """
    reasons = [] if excluded is None else excluded[["reason", "count"]].to_dict("records")
    reasons = sorted(
        ({"reason": str(r["reason"]), "count": int(r["count"])} for r in reasons), key=lambda r: -r["count"]
    )
    left_out = sum(r["count"] for r in reasons)
    judged = "all" if "cross_validation" in metrics else metrics["split"]
    counted = [_fold(row, judged) for row in folds.to_dict("records")]
    examples = sum(fold["examples"] for fold in counted)
    patients = [fold["patients"] for fold in counted]
    dropped = int(selected["dropped"]) if selected else 0
    unused = int(labelled["dropped"]) if labelled else 0
    return {
        "found": examples + dropped + unused + left_out,
        "left_out": left_out,
        "reasons": reasons,
        "shown": _shown(reasons),
        "selected": {"dropped": dropped, "by": selected["by"]} if dropped else None,
        "labelled": labelled if unused else None,
        "table": {"examples": examples, "patients": None if None in patients else sum(patients)},
        "folds": counted,
        "labels": [
            {"target": name, "known": numbers["n"], "unknown": numbers.get("unknown", 0)}
            for name, numbers in metrics["targets"].items()
        ],
    }


def _fold(row: dict, judged: str) -> dict:
    patients = row.get("patients")
    return {
        "fold": str(row.get("fold", "")),
        "examples": int(row.get("examples", 0)),
        "patients": None if patients is None or pd.isna(patients) else int(patients),
        "judged": judged in ("all", row.get("fold")),
    }


def _shown(reasons: list[dict]) -> list[dict]:
    if len(reasons) <= SHOWN:
        return reasons
    rest = reasons[SHOWN - 1 :]
    return [*reasons[: SHOWN - 1], {"reason": f"{len(rest)} other reasons", "count": sum(r["count"] for r in rest)}]
