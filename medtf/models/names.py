"""The backbones of keras.applications that medtf knows, each with the input scaling its weights were trained with.

keras.applications does its scaling in `preprocess_input`, outside the model; here it is a layer, written out. The network's input
is in [0, 1]; `scale` and `offset` make of it what the backbone wants.
"""

# name -> (function of keras.applications, scale, offset); offset is one number or one for each of three channels
_TF = (2.0, -1.0)  # to [-1, 1]
_PLAIN = (255.0, 0.0)  # to [0, 255]: the model holds its own scaling
_TORCH = (
    (1 / 0.229, 1 / 0.224, 1 / 0.225),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)  # ImageNet mean and deviation

# 1 / sqrt(deviation), after EfficientNet's own normalisation: see keras.applications.efficientnet, which mends its weights so
EFFICIENTNET_DIVISOR = tuple(deviation**-0.5 for deviation in (0.229, 0.224, 0.225))

BACKBONES = {
    "inception_v3": ("InceptionV3", *_TF),
    "inception_resnet_v2": ("InceptionResNetV2", *_TF),
    "xception": ("Xception", *_TF),
    "mobilenet": ("MobileNet", *_TF),
    "mobilenet_v2": ("MobileNetV2", *_TF),
    "resnet50_v2": ("ResNet50V2", *_TF),
    "resnet101_v2": ("ResNet101V2", *_TF),
    "densenet121": ("DenseNet121", *_TORCH),
    "densenet169": ("DenseNet169", *_TORCH),
    "efficientnet_b0": ("EfficientNetB0", *_PLAIN),
    "efficientnet_b3": ("EfficientNetB3", *_PLAIN),
    "efficientnet_v2_b0": ("EfficientNetV2B0", *_PLAIN),
    "efficientnet_v2_s": ("EfficientNetV2S", *_PLAIN),
    "convnext_tiny": ("ConvNeXtTiny", *_PLAIN),
}

# Networks of volumes, grey in one channel; their files are in `medtf/models/volumes`.
VOLUME_BACKBONES = (
    "cnn3d",
    "sfcn",
    "resnet3d_10",
    "resnet3d_18",
    "resnet3d_34",
    "resnet3d_50",
    "densenet3d_121",
    "highres3dnet",
)
