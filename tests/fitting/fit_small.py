"""`medtf ...` with a backbone of two convolutions in the place of MobileNet: a training takes two seconds and not twenty.

Run as a program where a test needs a process of its own, such as one with another Keras backend.
"""

import keras


def two_convolutions(*, include_top, weights, input_shape):
    """As keras.applications makes its models."""
    x = image = keras.Input(input_shape)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x)


if __name__ == "__main__":
    from medtf.cli import main

    keras.applications.MobileNet = two_convolutions
    main()
