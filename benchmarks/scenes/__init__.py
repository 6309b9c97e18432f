"""Pictures of digits, drawn as a camera would see them."""
