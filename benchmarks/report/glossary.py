"""Definitions of the terms in a benchmark's report, for readers who are not benchmarking experts."""

GLOSSARY = {
    "accuracy and 95 % interval": (
        "The share of the images read correctly. As many other images would give a slightly different figure; 95 of "
        "100 such intervals (Wilson's) contain the true one."
    ),
    "agrees with Keras": (
        "The share of images on which the file names the same digit as the trained model, right or wrong."
    ),
    "at camera rate, back to back": (
        "Back to back, each call starts when the last one ends: what a processor can do at most. At camera rate, a "
        "call comes every 1/30 s, and caches and clocks cool down between calls: what a camera will see."
    ),
    "batch": "Images handed over in one call. A camera's frames come one by one; batch 1 is what matters there.",
    "delegate": (
        "The library that a runtime computes with: XNNPACK in those of TensorFlow Lite, unless chosen otherwise. no "
        "delegate is without it."
    ),
    "drop, lost and gained": (
        "Accuracy lost against the float32 file of the same format, in percentage points. Lost are images that "
        "float32 reads correctly and this file does not; gained the reverse. Its interval is Tango's score "
        "interval for paired images; it has a width where no image differs, too."
    ),
    "first, load": (
        "Load is from starting to being ready, the runtime's import included; first is the first inference after it. "
        "Neither is in any latency."
    ),
    "float32, int8": (
        "How numbers are stored. float32 is what training uses; int8 takes a quarter of the place and is, on "
        "processors with instructions for it, much faster. What that costs is the drop."
    ),
    "front (Pareto)": (
        "A file is on it when no other one is at least as good in accuracy, latency and size, and better in one. "
        "Whatever is not on it can be replaced without a loss."
    ),
    "hill": "The distribution of all calls: the higher, the more calls took that long.",
    "layer": "What this package adds around the runtime's own call: checks, and copies of inputs and outputs.",
    "mJ": "Energy of the whole processor package or board for an image, thousandths of a joule, where a counter tells.",
    "no measurable difference": (
        "What was seen is no more than chance explains at the 5 % level. It does not say that there is none; the "
        "interval says how large it may be."
    ),
    "p": (
        "How often chance alone would show at least such a difference if there were none: McNemar's exact test for "
        "accuracies, Mann and Whitney's for latencies. Above 0.05 there is no measurable difference."
    ),
    "p50, p90, p99, p99.9, worst": (
        "Half of the calls took at most p50 (the median), 99 of 100 at most p99. Means hide slow calls; these do not."
    ),
    "peak MB": "The most memory that the whole process had, Python and the runtime included; MB are 1,000,000 bytes.",
    "peer": "Another project's model, measured beside ours in the same run.",
    "process": (
        "Each target is measured in several fresh processes, in random order. Calls of one process are alike for "
        "reasons that have nothing to do with the target, so processes are compared, not calls."
    ),
    "quick": "A short run for a first look. Its intervals are wide.",
    "row, target": (
        "A row is a file on a target: a runtime with its delegate and its threads, on a machine. Its number is its "
        "place in the JSON."
    ),
    "slower in calls": (
        "How often a call of one target takes longer than a call of the other (Vargha and Delaney's A12): 50 % is no "
        "difference, 100 % means always."
    ),
    "unstable, invalid": (
        "Conditions changed while measuring: the processor was throttled, changed its clock, or had other work. "
        "Unstable latencies may come out otherwise at another time; invalid ones are not to be used. Two runs are "
        "compared by neither."
    ),
    "us, ms": "Millionths and thousandths of a second.",
}
