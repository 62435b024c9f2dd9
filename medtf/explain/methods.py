"""The methods by name."""

from medtf.errors import AskedWronglyError, nearest
from medtf.explain.attention_rollout import AttentionRollout
from medtf.explain.cam import CAM
from medtf.explain.grad_cam import GradCAM
from medtf.explain.grad_cam_plus_plus import GradCAMPlusPlus
from medtf.explain.hires_cam import HiResCAM
from medtf.explain.integrated_gradients import IntegratedGradients
from medtf.explain.method import Method
from medtf.explain.occlusion import Occlusion
from medtf.explain.smooth_grad import SmoothGrad

# in the order in which a reader meets them: of layers, of the input, of attention
METHODS: dict[str, type[Method]] = {
    "grad-cam": GradCAM,
    "grad-cam++": GradCAMPlusPlus,
    "hires-cam": HiResCAM,
    "cam": CAM,
    "integrated-gradients": IntegratedGradients,
    "smooth-grad": SmoothGrad,
    "occlusion": Occlusion,
    "attention-rollout": AttentionRollout,
}


def get(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        AskedWronglyError: an unknown name.
    """
    if name not in METHODS:
        raise AskedWronglyError(f"method {name!r}: {nearest(name, METHODS)}")
    return METHODS[name]
