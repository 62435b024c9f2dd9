"""What `precision: auto` and `jit: auto` (compile the step or not) become on this machine, and why."""

import contextlib
from typing import NamedTuple

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")


class Gpu(NamedTuple):
    """One GPU that the engine sees; `capability` is CUDA's (major, minor), None where there is none (not NVIDIA)."""

    name: str
    capability: tuple[int, int] | None


def choose(precision: str = "auto", jit: str | bool = "auto", gpus: list[Gpu] | None = None) -> tuple[str, bool, str]:
    """The Keras dtype policy and `jit_compile` for this machine. What is not `auto` is kept as it was asked for.

    Args:
        precision: `auto`, `float32`, `mixed_float16` or `mixed_bfloat16`.
        jit: `auto`, True or False.
        gpus: what to decide for; None: what the engine sees here.

    Returns:
        (policy, jit, reason), the reason in one line for logs and `medtf doctor`.

    Raises:
        ValueError: another word for `precision` or `jit`.
    """
    if precision not in ("auto", *POLICIES):
        raise ValueError(f"precision: expected auto, {', '.join(POLICIES)}; received {precision!r}")
    if jit not in ("auto", True, False):
        raise ValueError(f"jit: expected auto, true or false; received {jit!r}")
    gpus = visible_gpus() if gpus is None else gpus
    policy, why_policy = (precision, "as asked") if precision != "auto" else _policy(gpus)
    compiled, why_jit = (bool(jit), "as asked") if jit != "auto" else _jit(gpus, policy)
    return policy, compiled, f"{policy}: {why_policy}; jit {'on' if compiled else 'off'}: {why_jit}"


def visible_gpus() -> list[Gpu]:
    """The GPUs of the Keras backend in use. With JAX, TensorFlow (which feeds the data) is told to leave them alone."""
    if _backend() == "jax":
        spare_gpus()
        import jax

        return [
            Gpu(d.device_kind, _jax_capability(d)) for d in jax.local_devices() if d.platform in ("gpu", "cuda", "rocm")
        ]
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")]
    return [Gpu(d.get("device_name", "GPU"), d.get("compute_capability")) for d in details]


def spare_gpus() -> None:
    """Keep TensorFlow off the GPUs, whose memory it would take whole from under JAX."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # TensorFlow has begun to use them already: too late to hide them
        tf.config.set_visible_devices([], "GPU")


def _policy(gpus: list[Gpu]) -> tuple[str, str]:
    if not gpus:
        return "float32", "no GPU, and on CPUs bfloat16 was no faster"
    weakest = min(gpus, key=lambda gpu: gpu.capability or (0, 0))
    if weakest.capability is None:
        return "float32", f"{weakest.name} tells no compute capability"
    named = "{} has compute capability {}.{}".format(weakest.name, *weakest.capability)
    if weakest.capability >= (8, 0):
        return "mixed_bfloat16", f"{named}, 8.0 and above multiply bfloat16 in hardware"
    if weakest.capability >= (7, 0):
        return "mixed_float16", f"{named}, 7.x multiplies float16 in hardware, bfloat16 not"
    return "float32", f"{named}, half precision begins to pay at 7.0"


def _jit(gpus: list[Gpu], policy: str) -> tuple[bool, str]:
    if _backend() == "jax":
        return True, "JAX without it runs one operation at a time"
    if not gpus:
        return False, "on CPUs compiling costs more than it gives"
    if len(gpus) > 1 and policy == "mixed_float16":
        return False, "loss scaling on several GPUs crashes under jit (keras-team/keras#21366)"
    return True, "GPU"


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _jax_capability(device) -> tuple[int, int] | None:
    text = getattr(device, "compute_capability", None)  # "9.0" on CUDA, absent or an architecture's name elsewhere
    try:
        major, minor = (int(part) for part in str(text).split("."))
    except ValueError:
        return None
    return major, minor
