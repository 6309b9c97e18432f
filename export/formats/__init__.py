"""What is written: TFLite, ONNX, and C source for microcontrollers."""
