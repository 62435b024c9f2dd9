"""What a network is, in a few numbers that stay in the run (model.json), so that a report needs no Keras."""

import keras

from medtf.models import count

SCHEMA = 1


def facts(model: keras.Model) -> dict:
    """Counts of one built functional graph.

    Returns:
        `parameters` (that training changes), `all_parameters` (with the moving averages of batch norm), `layers`, `weighted_layers`
        (those that hold weights of their own), `multiply_adds` of one example, `input` shape without the batch, `outputs` {name: width}
        (of an encoder without heads: `features`).
    """
    layers = model.layers  # the graph is flat; parts inside a layer, such as the projections of attention, belong to it
    outputs = model.output if isinstance(model.output, dict) else {"features": model.output}  # a bare encoder
    return {
        "schema": SCHEMA,
        "parameters": count.parameters(model),
        "all_parameters": model.count_params(),
        "layers": len(layers),
        "weighted_layers": sum(bool(layer.weights) for layer in layers),
        "multiply_adds": count.multiply_adds(model),
        "input": list(model.inputs[0].shape[1:]),
        "outputs": {name: int(output.shape[-1]) for name, output in outputs.items()},
    }
