"""Check a machine for live reading, and set up a Raspberry Pi."""
