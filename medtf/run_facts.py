"""What a run's network is and how it was trained, in rows of (what, value) that the report prints."""

import pandas as pd

from medtf.config import Augment, Config, Target
from medtf.data.windows import window
from medtf.models.names import PAPERS

Rows = list[tuple[str, str]]


def facts(
    config: Config,
    environment: dict,
    *,
    model: dict | None = None,
    history: pd.DataFrame | None = None,
    best_epoch: int | None = None,
) -> dict[str, Rows]:
    """Sections of rows: Network, Input, Heads (or Task), Training, Augmentation.

    Args:
        config: resolved. environment: environment.json of the run.
        model: model.json (`medtf.models.facts`): parameters, layers, multiply-adds; None: those rows say that it is not recorded.
        history: history.csv. best_epoch: whose weights were kept, counted from 1.
    """
    return {
        "Network": network(config, model or {}),
        "Input": seen(config),
        **({"Task": task(config)} if config.pretrain else {}),
        **({"Heads": [(name, head(target)) for name, target in config.targets.items()]} if config.targets else {}),
        "Training": training(config, environment, history, best_epoch),
        "Augmentation": augmentation(config.augment, config.model.dimensions, config.input.window_jitter),
    }


def network(config: Config, model: dict) -> Rows:
    """Name, paper, size, and where its weights began."""
    wanted = config.model
    begun = {"none": "random numbers: trained from scratch", "imagenet": "ImageNet"}.get(wanted.weights, wanted.weights)
    rows = [("Name", f"{wanted.name} ({PAPERS.get(wanted.name, 'no paper')})")]
    if "parameters" in model:
        rows.append(("Parameters", f"{model['parameters']:,} that training changes"))
        rows.append(("Layers", f"{model['layers']:,}, of which {model['weighted_layers']:,} hold weights"))
        rows.append(("Multiply-adds", f"{model['multiply_adds'] / 1e6:,.0f} million for one example"))
    else:
        rows.append(("Parameters", "not recorded (model.json is not in the run)"))
    rows += [("Weights began as", begun), ("Dropout", f"{wanted.dropout:g}"), ("Normalisation", wanted.norm)]
    return rows + ([("Squeeze and excitation", "after each block")] if wanted.se else [])


def seen(config: Config) -> Rows:
    """What of an image reaches the network."""
    given = config.input
    volumes = config.model.dimensions == 3
    rows = [("Size", " x ".join(map(str, given.size)) + (" voxels (RAS+)" if volumes else " pixels"))]
    if volumes:
        spacing = " x ".join(f"{s:g}" for s in given.spacing_mm) + " mm" if given.spacing_mm else "as in the file"
        rows += [("Spacing", spacing), ("Intensities", f"{given.normalise}, inside the mask or foreground")]
        rows.append(("Mask", given.mask or "none"))
        if given.patches:
            patches = given.patches
            rows.append(
                (
                    "Patches",
                    f"{patches.patches_per_volume} a volume, drawn from {patches.sampler}; judged on tiles that overlap by {patches.overlap:.0%}",
                )
            )
    elif given.windows:
        shown = []
        for spec in given.windows:
            center, width = window(spec)
            shown.append(f"{spec + ' ' if isinstance(spec, str) else ''}{center:g}/{width:g}")
        rows.append(("Windows (centre/width, HU)", ", ".join(shown)))
    else:
        rows.append(
            (
                "Intensities",
                f"scaled to 0 to 1 (DICOM: {given.intensity}; PNG and JPEG: {given.raster}), {given.channels} channel(s)",
            )
        )
    if not volumes:
        rows.append(("Aspect ratio", "kept, padded" if given.aspect == "pad" else "stretched to the size"))
    return rows


def head(target: Target) -> str:
    """What a target's output is."""
    if target.kind == "binary":
        positive = "1" if target.positive is None else target.positive
        return f"one logit, sigmoid: probability of {positive}"
    if target.kind == "multiclass":
        return f"{len(target.classes)} logits, softmax: one of {', '.join(map(str, target.classes))}"
    if target.head == "bins":
        low, high, width = target.bins
        return f"soft bins of {width:g} from {low:g} to {high:g}: expected value over their centres"
    return "mean and standard deviation" if target.head == "gaussian" else "one number in the column's unit"


# keys of `pretrain` that a task reads, and what they say
TASK_KEYS = {
    "masked_autoencoder": {
        "mask": "Hidden",
        "normalise": "Normalised pixels",
        "decoder_width": "Decoder width",
        "decoder_depth": "Decoder blocks",
    },
    "masked_cnn": {"mask": "Hidden", "square": "Hidden squares, pixels a side", "normalise": "Normalised pixels"},
    "jigsaw": {"grid": "Tiles a side", "permutations": "Orders told apart"},
    "restore": {"swaps": "Pairs of squares that change places"},
}


def task(config: Config) -> Rows:
    """The proxy task of a pretraining."""
    asked = config.pretrain
    rows = [("Name", asked.name)]
    for key, said in TASK_KEYS.get(asked.task, {"options": "Options"}).items():
        value = getattr(asked, key)
        if value or value is False:
            rows.append(
                (
                    said,
                    f"{value:.0%} of the patches"
                    if key == "mask"
                    else {True: "yes", False: "no"}.get(value, str(value))
                    if isinstance(value, bool)
                    else str(value),
                )
            )
    return rows


def training(config: Config, environment: dict, history: pd.DataFrame | None, best_epoch: int | None) -> Rows:
    """The optimisation as it was asked for, and how it went."""
    t = config.train
    asked = sum(stage.epochs for stage in t.stages) if t.stages else t.epochs
    done = f"{len(history)} of {asked}" if history is not None and len(history) else f"{asked} asked for"
    best = f"; weights of epoch {best_epoch}, the best by {t.monitor}" if best_epoch else ""
    rows = [("Epochs", done + best)]
    if t.stages:
        sizes = [" x ".join(map(str, stage.size or config.input.size)) for stage in t.stages]
        shown = (f"{stage.epochs} at {size}" for stage, size in zip(t.stages, sizes, strict=True))
        rows.append(("Stages (epochs at size)", ", ".join(shown)))
    gathered = f", gathered over {t.accumulate} batches" if t.accumulate > 1 else ""
    rows.append(("Batch", f"{t.batch_size} examples{gathered}"))
    warm = f", after a warm-up over {t.warmup:.0%} of the steps" if t.warmup else ""
    rows.append(
        (
            "Optimizer",
            f"{t.optimizer}, learning rate {t.learning_rate:g} ({t.schedule}{warm}), weight decay {t.weight_decay:g}",
        )
    )
    rows.append(("Loss", "that of the task" if config.pretrain else _loss(config)))
    if t.clip_norm is not None:
        rows.append(("Gradient norm", f"clipped at {t.clip_norm:g}"))
    if t.ema:
        rows.append(("Average of the weights", f"moving, momentum {t.ema:g}"))
    if t.early_stopping:
        rows.append(("Early stopping", f"after {t.early_stopping} epochs without a better {t.monitor}"))
    rows.append(("Undersampling", _undersampling(config)))
    rows.append(("Seed", f"{t.seed} (folds: {config.data.split.seed})"))
    return rows + _machine(environment)


def _loss(config: Config) -> str:
    t = config.train
    kinds = {target.kind for target in config.targets.values()}
    parts = [t.loss.replace("_", " ")] if kinds & {"binary", "multiclass"} else []
    parts += [f"{t.regression_loss} error (numbers)"] if "regression" in kinds else []
    weights = ", ".join(f"{name} {weight:g}" for name, weight in t.loss_weights.items())
    said = " and ".join(parts) + (f"; weighted {weights}, others 1" if weights else "")
    return said + ("; classes weighted by 1 / frequency" if t.class_weight == "balanced" else "")


def _undersampling(config: Config) -> str:
    under = config.data.undersample
    if under.policy == "none":
        return "none: every training example, each epoch"
    if under.policy == "balanced":
        return "balanced: drawn with replacement, so that the classes of all targets weigh alike"
    how = {"fixed": "one draw for all epochs", "each_epoch": "a fresh draw each epoch", "weighted": "weighted draws"}
    target = under.target or next(iter(config.targets))
    return f"of the majority of {target}: {how[under.policy]}, {under.ratio:g} for each of the minority ({under.level})"


def _machine(environment: dict) -> Rows:
    rows = []
    if "precision" in environment:
        compiled = "compiled (XLA)" if environment.get("jit") else "not compiled"
        rows.append(
            ("Precision", f"{environment['precision']}, steps {compiled}, engine {environment.get('backend', '?')}")
        )
    device = environment.get("devices") or environment.get("device")
    device = ", ".join(device) if isinstance(device, list) else device
    cores = f"{environment['cores']} CPU cores" if environment.get("cores") else ""
    rows.append(("Device", " beside ".join(filter(None, [device, cores])) or "not recorded"))
    speed, waited = environment.get("examples_per_second"), environment.get("input_wait_share")
    if speed:
        waiting = "" if waited is None else f"; {waited:.1%} of the time spent waiting for input"
        rows.append(("Speed", f"{speed:.1f} examples/s{waiting}"))
    return rows


# key of `augment` -> what it does, with the strength as {0} and as a percentage {1}
CHANGES = {
    "flip": "mirrored left to right with probability {0:g}",
    "rotate": "rotated by up to ±{0:g}°",
    "zoom": "scaled by up to ±{1:g} %",
    "translate": "shifted by up to ±{1:g} % of the side",
    "elastic": "elastic: control points moved by up to {0:g} voxels",
    "motion": "motion: parts of k-space rotated by up to {0:g}°",
    "ghosting": "ghosts of strength up to {0:g}",
    "low_resolution": "made up to {2:g} times as coarse, and back",
    "blur": "blurred, Gaussian of up to {0:g} voxels",
    "bias": "bias field with coefficients up to {0:g}",
    "gamma": "gamma: exponent between {3:.3g} and {4:.3g}",
    "contrast": "contrast changed by up to ±{1:g} %",
    "brightness": "brightness shifted by up to ±{0:g}",
    "noise": "Gaussian noise, deviation {0:g}",
    "rician": "Rician noise, deviation up to {0:g} of the volume's own",
    "erase": "a rectangle erased with probability {0:g}",
    "cutout": "a box erased with probability {0:g}",
    "mixup": "mixup: two examples blended, Beta({0:g}, {0:g})",
    "cutmix": "cutmix: a box of one example put into another, area Beta({0:g}, {0:g})",
}


def augmentation(augment: Augment, dimensions: int, jitter=(0.0, 0.0)) -> Rows:
    """The random changes of training examples in words; judged examples are never changed."""
    import math

    rows = []
    for key, said in CHANGES.items():
        value = getattr(augment, key)
        if value:
            rows.append(
                (key.replace("_", " "), said.format(value, 100 * value, 1 + value, math.exp(-value), math.exp(value)))
            )
    if any(jitter):
        rows.append(("window jitter", f"centre ±{jitter[0]:g} HU, width ±{jitter[1]:g} HU (standard deviations)"))
    if dimensions == 3 and rows:
        rows.append(("share", f"{augment.share:.0%} of the volumes get each change that names no probability"))
    return rows or [("none", "no example is changed at random")]
