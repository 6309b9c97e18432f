"""Cameras behind one protocol: a Raspberry Pi's camera, a webcam, a video, a stream, or a folder of pictures."""
