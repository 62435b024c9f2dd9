"""Networks of volumes, one family a file: what stands between a grey volume and the pooled features."""

from medtf.errors import AskedWronglyError
from medtf.models.volumes import cnn3d, densenet3d, highres3dnet, resnet3d, sfcn
from medtf.models.volumes.blocks import Blocks

# name -> (function of the file, least side of a volume in voxels)
_NETWORKS = {
    "cnn3d": (cnn3d.features, cnn3d.LEAST),
    "sfcn": (sfcn.features, sfcn.LEAST),
    **{name: (resnet3d.of(name), resnet3d.LEAST) for name in resnet3d.DEPTHS},
    "densenet3d_121": (densenet3d.features, densenet3d.LEAST),
    "highres3dnet": (highres3dnet.features, highres3dnet.LEAST),
}


def apply(volume, name: str, *, norm: str, se: bool, init: str, momentum: float):
    """Feature maps of `volume` under the network `name`; every layer is named after its place.

    Args:
        volume: KerasTensor (batch, depth, height, width, channels), of a size that `check` lets through.
        name: one of `names.VOLUME_BACKBONES`.
        norm: batch, group or instance.
        se: squeeze-and-excitation after each block.
        init: he or glorot, of the convolutions.
        momentum: of batch normalisation's moving averages.
    Returns:
        KerasTensor (batch, d, h, w, features).
    """
    features, _ = _NETWORKS[name]
    return features(volume, Blocks(norm, se, init, momentum))


def check(name: str, *, weights: str, input_shape) -> None:
    """Say what `apply` would refuse, without making anything.

    Args:
        name: one of `names.VOLUME_BACKBONES`.
        weights: `model.weights` of the config.
        input_shape: (depth, height, width, channels).
    Raises:
        AskedWronglyError: a volume smaller than the network's strides, or weights of ImageNet.
    """
    if weights == "imagenet":
        raise AskedWronglyError(
            f"model.weights: imagenet: {name} is a 3D network, and ImageNet's weights are of 2D images;"
            " use none, or the path of a run"
        )
    sides, (_, least) = tuple(input_shape[:3]), _NETWORKS[name]
    if min(sides) < least:
        raise AskedWronglyError(
            f"input.size {' x '.join(map(str, sides))} is too small for {name}: it needs {least} voxels a side or more"
        )
