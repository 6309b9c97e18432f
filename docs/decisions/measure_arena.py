"""Measure the smallest arena that TFLite Micro runs in for the zoo and other networks, see formats/micro_arena.py.

It also counts on how many images of the sample TFLite Micro and LiteRT name the same digit. All but the shipped network
have random weights, so that close calls are more frequent than with trained ones.

Usage:
    python docs/decisions/measure_arena.py write FOLDER   # needs edge-mnist[export,train]
    python docs/decisions/measure_arena.py run FOLDER     # needs edge-mnist[micro]
"""

import sys
from pathlib import Path

import numpy as np

IMAGES = 100
# More than any of them needs.
ARENA_BYTES = 1 << 20


def write(folder: Path) -> None:
    """Convert the networks; keep images and what LiteRT says of them beside the files."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - not where the files are only run

    from edge_mnist.edge.bundle.shipped import SHIPPED  # noqa: PLC0415
    from edge_mnist.edge.data.datasets import load_sample  # noqa: PLC0415
    from edge_mnist.export.calibration import choose_calibration  # noqa: PLC0415
    from edge_mnist.export.formats.tflite import convert_int8  # noqa: PLC0415
    from edge_mnist.export.formats.tflite_edits import slim  # noqa: PLC0415
    from edge_mnist.train.zoo import ZOO  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    sample = load_sample()
    files = {"shipped": (SHIPPED / "standard-int8.tflite").read_bytes()}
    models = {name: build() for name, build in ZOO.items() if name != "standard"} | other_networks()
    files |= {name: slim(convert_int8(model, choose_calibration(sample))) for name, model in models.items()}
    pixels, classes = sample.pixels[:: len(sample.pixels) // IMAGES][:IMAGES], {}
    for name, content in files.items():
        (folder / f"{name}.tflite").write_bytes(content)
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        classes[name] = [classify_litert(interpreter, image[None]) for image in pixels]
    np.savez(folder / "images.npz", pixels=pixels, **classes)


def other_networks() -> dict:
    """Build networks that keep the contract, each for what no member of the zoo has."""
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    def network(*hidden) -> keras.Model:
        pixels = keras.Input((28, 28, 1), dtype="uint8")
        x = layers.Rescaling(1 / 255, name="pixels_to_unit")(pixels)
        for layer in hidden:
            x = layer(x)
        return keras.Model(pixels, layers.Dense(10)(x))

    def conv(filters: int, kernel_size: int = 3, **options) -> keras.Layer:
        return layers.Conv2D(filters, kernel_size, padding="same", **{"activation": "relu", **options})

    def residual(x):
        inner = conv(16)(x)
        return layers.ReLU()(layers.Add()([inner, conv(16, activation=None)(inner)]))

    def branches(x):
        left, right = conv(8, strides=2)(x), conv(8, strides=2, activation="tanh")(x)
        joined = layers.Concatenate()([left, right, layers.Maximum()([left, layers.Multiply()([left, right])])])
        return layers.PReLU()(layers.UpSampling2D(2, interpolation="bilinear")(joined))

    def excited(x):
        x = conv(16, strides=2, activation="hard_swish")(x)
        weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
        return layers.Multiply()([x, conv(16, 1, activation="sigmoid")(conv(4, 1)(weights))])

    def attentive(x):
        patches = layers.Reshape((49, 16))(layers.Conv2D(16, 4, strides=4)(x))
        return layers.MultiHeadAttention(2, 8)(patches, patches)

    mean = layers.GlobalAveragePooling2D
    depthwise = [conv(16, strides=2), layers.DepthwiseConv2D(3, padding="same"), layers.ReLU(6.0), conv(64, 1)]
    transposed = [conv(8, 5, strides=2), layers.Conv2DTranspose(4, 3, strides=2), layers.LeakyReLU()]
    return {
        "depthwise": network(*depthwise, layers.DepthwiseConv2D(3, strides=2), conv(128, 1), mean()),
        "residual": network(conv(8, strides=2), residual, layers.AveragePooling2D(2), layers.Flatten()),
        "transposed": network(layers.ZeroPadding2D(3), *transposed, layers.MaxPooling2D(3), layers.Flatten()),
        "wide dense": network(layers.Flatten(), layers.Dense(2_000, activation="sigmoid")),
        "thirty thin": network(*(conv(2) for _ in range(30)), layers.Flatten()),
        "branches": network(branches, layers.GlobalMaxPooling2D()),
        "excited": network(excited, layers.Flatten()),
        "attentive": network(attentive, layers.GlobalAveragePooling1D()),
        "mean of 64": network(conv(64), mean()),
        "separable 300": network(layers.SeparableConv2D(300, 3, strides=4), mean()),
        "cropped": network(layers.Cropping2D(4), layers.Flatten(), layers.Dense(20), layers.Softmax()),
    }


def classify_litert(interpreter, pixels: np.ndarray) -> int:
    """Return the digit that LiteRT's default kernels name."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return int(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).argmax())


def run(folder: Path) -> None:
    """Measure the arena of each, and compare the digits."""
    from edge_mnist.export.formats.micro_arena import measure_arena  # noqa: PLC0415 - not where the files are made

    with np.load(folder / "images.npz", allow_pickle=False) as images:
        pixels, classes = images["pixels"], {name: images[name] for name in images.files if name != "pixels"}
    for name, expected in classes.items():
        path = folder / f"{name}.tflite"
        same = int((classify_tflm(path, pixels) == expected).sum())
        print(f"{name}: needs {measure_arena(path.read_bytes()):,}, {same} of {len(pixels)} digits as LiteRT")


def classify_tflm(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return the digits that TFLite Micro names: [N]."""
    from tflite_micro import runtime  # noqa: PLC0415 - not where the files are made

    interpreter, found = runtime.Interpreter.from_file(str(path), arena_size=ARENA_BYTES), []
    for image in pixels:
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0).argmax())
    return np.array(found)


if __name__ == "__main__":
    {"write": write, "run": run}[sys.argv[1]](Path(sys.argv[2]))
