"""Turn files and byte streams into pixels."""
