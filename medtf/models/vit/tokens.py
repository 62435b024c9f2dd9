"""The class token: put in front of the patches, and taken out again."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="medtf")
class ClassToken(keras.layers.Layer):
    """Put one learnt token in front of the others, the same for every image; what it gathers on its way is read by the head.

    It gets no position. Dosovitskiy 2021, arXiv 2010.11929, section 3.1, after BERT.

    Input shape:
        (batch, n, width), floats.

    Output shape:
        (batch, 1 + n, width).
    """

    def build(self, input_shape):
        """The token starts small, as in He 2022."""
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.token = self.add_weight(name="token", shape=(1, 1, input_shape[-1]), initializer=initializer)
        super().build(input_shape)

    def call(self, tokens):
        """The class token, then the others."""
        first = ops.broadcast_to(self.token, (ops.shape(tokens)[0], 1, tokens.shape[-1]))
        return ops.concatenate([ops.cast(first, tokens.dtype), tokens], axis=1)

    def compute_output_shape(self, input_shape):
        """One token more."""
        batch, count, width = input_shape
        return (batch, None if count is None else count + 1, width)


@keras.saving.register_keras_serializable(package="medtf")
class FirstToken(keras.layers.Layer):
    """The first token alone: the class token, where there is one.

    Input shape:
        (batch, n, width).

    Output shape:
        (batch, width).
    """

    def call(self, tokens):
        """The first of them."""
        return tokens[:, 0]

    def compute_output_shape(self, input_shape):
        """Without the tokens' axis."""
        return (input_shape[0], input_shape[-1])
