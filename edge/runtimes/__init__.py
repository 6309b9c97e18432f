"""Pixels in, logits out: LiteRT, tflite-runtime and ONNX Runtime."""
