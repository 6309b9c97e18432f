"""Studies of the reader: time for each frame, digits found again, the live loop."""
