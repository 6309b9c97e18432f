"""Where frames come from: a Raspberry Pi's camera, a webcam, a video, a stream, a folder, behind one protocol."""
