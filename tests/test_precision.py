"""What `auto` becomes: decided for invented GPUs, so that it needs none."""

import keras
import pytest

from medtf.precision import Gpu, choose

H100, A100 = Gpu("H100", (9, 0)), Gpu("A100", (8, 0))
T4, V100 = Gpu("T4", (7, 5)), Gpu("V100", (7, 0))
P100, OTHER = Gpu("P100", (6, 0)), Gpu("not NVIDIA", None)


@pytest.mark.parametrize(
    ("gpus", "policy", "jit"),
    [
        ([], "float32", False),
        ([H100], "mixed_bfloat16", True),
        ([A100], "mixed_bfloat16", True),
        ([A100, A100], "mixed_bfloat16", True),
        ([T4], "mixed_float16", True),
        ([V100], "mixed_float16", True),
        ([T4, T4], "mixed_float16", False),  # keras-team/keras#21366
        ([A100, T4], "mixed_float16", False),  # the weakest decides
        ([P100], "float32", True),
        ([OTHER], "float32", True),
        ([A100, OTHER], "float32", True),
    ],
    ids=str,
)
def test_auto(monkeypatch, gpus, policy, jit):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    found = choose(gpus=gpus)
    assert found[:2] == (policy, jit)
    assert found[2].startswith(f"{policy}: ")
    assert "\n" not in found[2]


def test_jax_is_compiled_everywhere(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert choose(gpus=[])[:2] == ("float32", True)
    assert choose(gpus=[T4, T4])[:2] == ("mixed_float16", True)


def test_what_is_asked_for_is_kept(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    assert choose("mixed_bfloat16", True, gpus=[])[:2] == ("mixed_bfloat16", True)
    assert choose("float32", False, gpus=[A100])[:2] == ("float32", False)
    assert "as asked" in choose("float32", "auto", gpus=[A100])[2]
    assert choose("mixed_float16", "auto", gpus=[A100, A100])[:2] == ("mixed_float16", False)


def test_this_machine_gets_an_answer_that_keras_takes():
    policy, jit, reason = choose()
    assert keras.dtype_policies.get(policy).name == policy
    assert isinstance(jit, bool)
    assert reason


@pytest.mark.parametrize(("precision", "jit", "key"), [("float16", "auto", "precision"), ("auto", "yes", "jit")])
def test_another_word_is_refused(precision, jit, key):
    with pytest.raises(ValueError, match=f"^{key}: expected auto"):
        choose(precision, jit, gpus=[])
