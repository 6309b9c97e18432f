"""The live loop: always the newest frame, read, followed over time, and handed to the sinks."""
