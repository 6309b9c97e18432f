"""Definitions of the terms in an export's report, for readers who are not quantization experts."""

GLOSSARY = {
    "float32, float16, dynamic, int8, int16x8": (
        "How numbers are stored. float32 is what training uses. float16 halves the file. dynamic stores weights as "
        "8-bit integers and finds the ranges of activations while running. int8 uses 8-bit integers throughout: the "
        "smallest and, on most processors, by far the fastest. int16x8 keeps 8-bit weights but 16-bit activations, "
        "for networks that int8 harms."
    ),
    "accuracy and 95 % interval": (
        "The share of the evaluation images read correctly. As many other images would give a slightly different "
        "figure; 95 of 100 such intervals (Wilson's) contain the true one."
    ),
    "drop": (
        "Accuracy lost against the float32 file of the same format, in percentage points: images lost minus images "
        "gained. Lost are those that float32 reads correctly and this file does not; gained the reverse. Its 95 % "
        "interval is Tango's for paired images: where no image changed, it still has a width, as other images might."
    ),
    "p": (
        "How often chance alone would lose and gain so unevenly if both files were equally good (McNemar's exact "
        "test). Above 0.05 there is no measurable difference."
    ),
    "agrees with Keras": (
        "The share of images on which the file names the same digit as the trained model, right or wrong."
    ),
    "largest logit difference": (
        "Logits are the ten scores before a digit is chosen. A file computes them a little differently; this is the "
        "most it was ever off. It matters only where two digits are nearly tied."
    ),
    "dB": (
        "Signal against noise, 20 log10(signal / error): 40 dB means that the error is a hundredth of the signal, 20 "
        "dB a tenth. Six dB more is half the error, about one bit."
    ),
    "calibration": (
        "Integers need to know how large numbers become. Training images are run through the network and the ranges "
        "noted: minmax takes the extremes, percentile cuts off the outermost thousandth of a percent, entropy cuts "
        "where the distribution changes least."
    ),
    "equalized and rounded": (
        "Before quantizing, channels are scaled to reach equally far, and weights are rounded so that their errors "
        "cancel within a layer. In exact arithmetic the first changes nothing."
    ),
}
