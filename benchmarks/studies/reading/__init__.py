"""Studies of the reader: time per frame, digits found again, the live loop."""
