"""The peer's side of grad_cam.py, which starts it in an environment with tf-explain: a line of JSON out for each line in."""

import json
import sys

import numpy as np
from grad_cam_networks import CLASSES, LAYERS, cnn3d, give, images, inception, limit_threads, timed


def calls(name: str, model) -> dict:
    """What is timed, by name: images -> arrays."""
    import tensorflow as tf
    from tf_explain.core.grad_cam import GradCAM

    def heatmap(x):
        outputs, slopes = GradCAM.get_gradients_and_filters(model, x, LAYERS[name], CLASSES[name], False)
        return np.stack([one.numpy() for one in GradCAM.generate_ponderated_output(outputs, slopes)])

    def explain(x):
        how = {"class_index": CLASSES[name], "layer_name": LAYERS[name], "use_guided_grads": False}
        return GradCAM().explain((x, None), model, **how)

    inner = tf.keras.Model(model.inputs, [model.get_layer(LAYERS[name]).output, model.output])

    def by_hand(x):
        with tf.GradientTape() as tape:
            activations, answers = inner(x)
            score = answers[:, CLASSES[name]]
        slopes = tape.gradient(score, activations)
        axes = tuple(range(1, len(x.shape) - 1))
        return tf.nn.relu(tf.reduce_sum(activations * tf.reduce_mean(slopes, axes, keepdims=True), -1))

    compiled = tf.function(by_hand)
    return {
        "answers": lambda x: model(x).numpy(),
        "heatmap": heatmap,
        "by hand": lambda x: by_hand(x).numpy(),
        "compiled by hand": lambda x: compiled(tf.constant(x)).numpy(),
        "explain": explain,
    }


def main() -> None:
    """Answer questions {network, weights, call, count, file}: seconds of the call, or what it gives as a file."""
    limit_threads()
    import tensorflow as tf

    print(json.dumps(tf.__version__), flush=True)
    known = {}
    for line in sys.stdin:
        asked = json.loads(line)
        name = asked["network"]
        if name not in known:
            model = {"inception": inception, "cnn3d": cnn3d}[name](tf.keras)
            give(model, asked["weights"])
            known[name] = calls(name, model)
        call, x = known[name][asked["call"]], images(name, asked["count"])
        if asked["file"]:
            np.save(asked["file"], call(x))
        print(json.dumps(None if asked["file"] else timed(call, x)), flush=True)


if __name__ == "__main__":
    main()
