"""The networks that medtf knows: names, papers, and the input scaling that weights of keras.applications were trained with.

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

# Vision transformers (Dosovitskiy 2021; Ti and S after Touvron 2021, arXiv 2012.12877): width, blocks, heads, side of a patch in pixels.
TRANSFORMERS = {
    "vit_ti16": (192, 12, 3, 16),
    "vit_ti8": (192, 12, 3, 8),
    "vit_s16": (384, 12, 6, 16),
    "vit_s8": (384, 12, 6, 8),
    "vit_b16": (768, 12, 12, 16),
}

# What a 2D backbone was made for, in pixels a side, where it is not 224: keras.applications.
SIDES = {"inception_v3": 299, "inception_resnet_v2": 299, "xception": 299, "efficientnet_b3": 300}
SIDES |= dict.fromkeys(VOLUME_BACKBONES, 96)

PAPERS = {
    "inception_v3": "Szegedy 2016, arXiv 1512.00567",
    "inception_resnet_v2": "Szegedy 2017, arXiv 1602.07261",
    "xception": "Chollet 2017, arXiv 1610.02357",
    "mobilenet": "Howard 2017, arXiv 1704.04861",
    "mobilenet_v2": "Sandler 2018, arXiv 1801.04381",
    "resnet50_v2": "He 2016, arXiv 1603.05027",
    "resnet101_v2": "He 2016, arXiv 1603.05027",
    "densenet121": "Huang 2017, arXiv 1608.06993",
    "densenet169": "Huang 2017, arXiv 1608.06993",
    "efficientnet_b0": "Tan and Le 2019, arXiv 1905.11946",
    "efficientnet_b3": "Tan and Le 2019, arXiv 1905.11946",
    "efficientnet_v2_b0": "Tan and Le 2021, arXiv 2104.00298",
    "efficientnet_v2_s": "Tan and Le 2021, arXiv 2104.00298",
    "convnext_tiny": "Liu 2022, arXiv 2201.03545",
    "cnn3d": "plain; after Peng 2021",
    "sfcn": "Peng 2021, Med Image Anal 68:101871",
    "resnet3d_10": "Hara 2018, arXiv 1708.07577; Chen 2019, arXiv 1904.00625",
    "resnet3d_18": "Hara 2018, arXiv 1708.07577; Chen 2019, arXiv 1904.00625",
    "resnet3d_34": "Hara 2018, arXiv 1708.07577; Chen 2019, arXiv 1904.00625",
    "resnet3d_50": "Hara 2018, arXiv 1708.07577; Chen 2019, arXiv 1904.00625",
    "densenet3d_121": "Huang 2017, arXiv 1608.06993",
    "highres3dnet": "Li 2017, arXiv 1707.01992",
}
PAPERS |= dict.fromkeys(TRANSFORMERS, "Dosovitskiy 2021, arXiv 2010.11929")
