"""Where in the picture each place of a layer looks: the middle of its receptive field, followed through the network.

Stretching a layer's map over the whole picture is right only where every stride divides the side and every border is even. Keras pads a
convolution of stride 2 on one side alone, so MobileNet's last 5 x 5 places look 15 pixels further down and right than a stretched map says, at
160 pixels; without padding the outermost places of InceptionV3 look 19 pixels further inside at 299. A small finding is missed by that.
Middles are counted as in Araujo 2019 (Computing receptive fields of convolutional neural networks, Distill, doi 10.23915/distill.00021).
"""

from keras import layers as keras_layers

from medtf.explain import graph

Axis = tuple[float, float]  # pixel that place 0 looks at, and pixels from one place to the next

WINDOWS = (  # layers that look through a window which moves by strides
    "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D",
    "MaxPooling2D", "MaxPooling3D", "AveragePooling2D", "AveragePooling3D",
)  # fmt: skip
MOVES = ("Flip", "Moveaxis", "Permute", "Roll", "Rot90", "Swapaxes", "Transpose")  # keep the sides and not the places


def centres(layer, to) -> tuple[Axis, ...] | None:
    """For each spatial axis of a layer's output where its places look, in pixels of the input.

    Args:
        layer: with places, anywhere in the network.
        to: the symbolic output that is explained, from which the layer is looked for.
    Returns:
        ((first, step), ...); None where some layer on the way moves places in a way that is not known here, or sizes are open.
    """
    start = _of_layer(layer, to)
    if start is None:
        return None
    known: dict = {}
    waiting = [start]
    while waiting:  # deep networks are deeper than Python's stack
        place = waiting[-1]
        key = _key(place)
        if key in known:
            waiting.pop()
            continue
        made = graph.made(*place)
        if isinstance(made.operation, keras_layers.InputLayer):
            known[key] = tuple((0.0, 1.0) for _ in place[0].shape[1:-1])
            continue
        inputs = [one for one in made.inputs if len(one[0].shape) == len(place[0].shape)]
        missing = [one for one in inputs if _key(one) not in known]
        if missing:
            waiting += missing
            continue
        known[key] = _after(made.operation, place[0], [(one[0], known[_key(one)]) for one in inputs])
    return known[_key(start)]


def _key(place) -> tuple:
    tensor, inside = place
    return id(tensor), tuple((id(model), call) for model, call in inside)


def _of_layer(layer, to):
    """The tensor that a layer makes on the way to the output, with the nested models it is inside of."""
    seen, waiting = set(), [(to, ())]
    while waiting:
        place = waiting.pop()
        made = graph.made(*place)
        if made.operation is layer:
            return place
        for one in made.inputs:
            if _key(one) not in seen:
                seen.add(_key(one))
                waiting.append(one)
    return None


def _after(operation, output, inputs) -> tuple[Axis, ...] | None:
    """Middles behind one layer, from those before it: [(tensor, middles)]; None where they are not known, as behind a squeezed branch."""
    sides = output.shape[1:-1]
    inputs = [(one, middles) for one, middles in inputs if middles is not None]
    if not inputs or None in sides or any(None in one.shape[1:-1] for one, _ in inputs):
        return None
    kind = type(operation).__name__
    first, middles = inputs[0]
    before = first.shape[1:-1]
    if kind in MOVES:
        return None
    if kind in WINDOWS:
        return tuple(map(_window, middles, before, sides, *_moves(operation, len(sides))))
    if kind.startswith("ZeroPadding"):
        return tuple((a - step * pad[0], step) for (a, step), pad in zip(middles, operation.padding, strict=True))
    if kind.startswith("Cropping"):
        return tuple((a + step * cut[0], step) for (a, step), cut in zip(middles, operation.cropping, strict=True))
    same = [middles for one, middles in inputs if one.shape[1:-1] == sides]  # what is broadcast has no place
    if not same:
        return None
    return tuple(
        tuple(sum(values) / len(same) for values in zip(*axis, strict=True)) for axis in zip(*same, strict=True)
    )


def _moves(operation, count: int):
    """Window, stride, padding of each axis."""
    window = getattr(operation, "kernel_size", None) or operation.pool_size
    spread = getattr(operation, "dilation_rate", 1)
    sizes = [1 + (size - 1) * by for size, by in zip(_each(window, count), _each(spread, count), strict=True)]
    return sizes, _each(operation.strides, count), [operation.padding] * count


def _each(value, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def _window(middle: Axis, before: int, after: int, size: int, stride: int, padding: str) -> Axis:
    """`same` pads evenly, and the odd pixel behind: TensorFlow's rule."""
    pad = max((after - 1) * stride + size - before, 0) // 2 if padding == "same" else 0
    first, step = middle
    return first + step * ((size - 1) / 2 - pad), step * stride
