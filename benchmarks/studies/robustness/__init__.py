"""What float32 and int8 still read of corrupted images."""
