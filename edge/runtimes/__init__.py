"""Run model files on LiteRT, tflite-runtime or ONNX Runtime: pixels in, logits out."""
