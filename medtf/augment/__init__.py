"""Random Keras layers on the batch, one a file; those of volumes stand in `medtf.augment.volume`."""

from medtf.errors import AskedWronglyError

# keys of `augment:` that one kind of picture has no layer for
PICTURES_ONLY = ("erase",)
VOLUMES_ONLY = (
    "elastic",
    "bias",
    "gamma",
    "rician",
    "blur",
    "ghosting",
    "motion",
    "low_resolution",
    "cutout",
)


def build(config, *, seed: int | None = None, dimensions: int = 2) -> list:
    """The layers that `config` switches on, in the order they are to be called.

    MixUp and CutMix are left to the caller, since they also mix labels. First where things are, then what the scanner does to them,
    then how bright; noise comes after the resampling that would smooth it, and erased stays erased.

    Args:
        config: a `medtf.config.Augment`.
        seed: the layers take seed, seed + 1, ...: with one seed for all their draws would go together.
        dimensions: 2 for pictures, 3 for volumes.

    Returns:
        `RandomLayer`s, none of them idle.

    Raises:
        AskedWronglyError: a key that the other kind of picture has is set.
    """
    of, other, absent = (
        ("volumes", "2D pictures", PICTURES_ONLY) if dimensions == 3 else ("2D pictures", "volumes", VOLUMES_ONLY)
    )
    for key in absent:
        if getattr(config, key):
            instead = "; for volumes there is augment.cutout" if key == "erase" else ""
            raise AskedWronglyError(
                f"augment.{key} is for {other} and the network takes {of}: set it to 0 or remove it{instead}"
            )
    wanted = _of_volumes(config) if dimensions == 3 else _of_pictures(config)
    made = []
    for place, (name, layer, strengths) in enumerate(wanted):
        if any(strengths.values()):
            # flip and cutout have a probability of their own
            more = {"share": config.share} if dimensions == 3 and "probability" not in strengths else {}
            made.append(layer(**strengths, **more, seed=None if seed is None else seed + place, name=name))
    return made


def _of_pictures(config) -> tuple:
    """Name, class and strengths of every layer of 2D pictures."""
    from medtf.augment.affine import RandomAffine
    from medtf.augment.erase import RandomErase
    from medtf.augment.flip import RandomFlip
    from medtf.augment.intensity import RandomIntensity
    from medtf.augment.noise import RandomNoise

    return (
        ("random_flip", RandomFlip, {"probability": config.flip}),
        ("random_affine", RandomAffine, {"rotate": config.rotate, "zoom": config.zoom, "translate": config.translate}),
        ("random_intensity", RandomIntensity, {"contrast": config.contrast, "brightness": config.brightness}),
        ("random_noise", RandomNoise, {"deviation": config.noise}),
        ("random_erase", RandomErase, {"probability": config.erase}),
    )


def _of_volumes(config) -> tuple:
    """Name, class and strengths of every layer of volumes."""
    from medtf.augment.volume.affine import RandomAffine3D
    from medtf.augment.volume.bias import RandomBiasField
    from medtf.augment.volume.blur import RandomBlur
    from medtf.augment.volume.cutout import RandomCutout
    from medtf.augment.volume.elastic import RandomElastic
    from medtf.augment.volume.flip import RandomFlip3D
    from medtf.augment.volume.gamma import RandomGamma
    from medtf.augment.volume.ghosting import RandomGhosting
    from medtf.augment.volume.intensity import RandomIntensity3D
    from medtf.augment.volume.low_resolution import RandomLowResolution
    from medtf.augment.volume.motion import RandomMotion
    from medtf.augment.volume.noise import RandomNoise3D
    from medtf.augment.volume.rician import RandomRicianNoise

    moves = {"rotate": config.rotate, "zoom": config.zoom, "translate": config.translate}
    return (
        ("random_flip", RandomFlip3D, {"probability": config.flip}),
        ("random_affine", RandomAffine3D, moves),
        ("random_elastic", RandomElastic, {"displacement": config.elastic}),
        ("random_motion", RandomMotion, {"degrees": config.motion}),
        ("random_ghosting", RandomGhosting, {"intensity": config.ghosting}),
        ("random_low_resolution", RandomLowResolution, {"factor": config.low_resolution}),
        ("random_blur", RandomBlur, {"sigma": config.blur}),
        ("random_bias_field", RandomBiasField, {"coefficients": config.bias}),
        ("random_gamma", RandomGamma, {"log_gamma": config.gamma}),
        ("random_intensity", RandomIntensity3D, {"contrast": config.contrast, "brightness": config.brightness}),
        ("random_noise", RandomNoise3D, {"deviation": config.noise}),
        ("random_rician_noise", RandomRicianNoise, {"deviation": config.rician}),
        ("random_cutout", RandomCutout, {"probability": config.cutout}),
    )
