"""What this machine has and lacks, and how to set up a Raspberry Pi."""
