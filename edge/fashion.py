"""Fashion-MNIST: ten kinds of clothes in MNIST's format, which the same networks learn.

By Han Xiao, Kashif Rasul and Roland Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms" (2017), MIT licence.
"""

from pathlib import Path

from .idx_splits import split_idx
from .images import Splits
from .mnist_files import Published

FASHION = "fashion-mnist"
# In the order of its labels.
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_FILES = Published(
    "Fashion-MNIST",
    {
        "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    gzipped=True,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    folders=(FASHION,),
)


def load_fashion(data_dir: Path | None = None) -> Splits:
    """Read Fashion-MNIST, split as MNIST is.

    Args:
        data_dir: Looked into first, for a subfolder `fashion-mnist`; then `$EDGE_MNIST_DATA`, the user's cache, and the
            mirrors.

    Raises:
        DataError: No place has all four files and no mirror could be reached.
    """
    return split_idx(FASHION, FASHION_FILES, data_dir, CLASSES)
