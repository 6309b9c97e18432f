"""Text for people: cleaned, formatted, and printed in one way."""
