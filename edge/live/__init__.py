"""The live loop: it reads the newest frame, follows digits over time, and passes events to the sinks."""
