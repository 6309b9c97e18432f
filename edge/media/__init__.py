"""Files and byte streams become pixels."""
