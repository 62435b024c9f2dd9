"""Random Keras layers on the batch, one a file."""


def build(config, *, seed: int | None = None) -> list:
    """The layers that `config` switches on, in the order they are to be called.

    MixUp is left to the caller, since it also mixes labels. First where things are, then how bright; noise comes
    after the resampling that would smooth it, and erased stays erased.

    Args:
        config: a `medtf.config.Augment`.
        seed: the layers take seed, seed + 1, ...: with one seed for all their draws would go together.

    Returns:
        `RandomLayer`s, none of them idle.
    """
    from medtf.augment.affine import RandomAffine
    from medtf.augment.erase import RandomErase
    from medtf.augment.flip import RandomFlip
    from medtf.augment.intensity import RandomIntensity
    from medtf.augment.noise import RandomNoise

    wanted = (
        ("random_flip", RandomFlip, {"probability": config.flip}),
        ("random_affine", RandomAffine, {"rotate": config.rotate, "zoom": config.zoom, "translate": config.translate}),
        ("random_intensity", RandomIntensity, {"contrast": config.contrast, "brightness": config.brightness}),
        ("random_noise", RandomNoise, {"deviation": config.noise}),
        ("random_erase", RandomErase, {"probability": config.erase}),
    )
    return [
        layer(**strengths, seed=None if seed is None else seed + place, name=name)
        for place, (name, layer, strengths) in enumerate(wanted)
        if any(strengths.values())
    ]
