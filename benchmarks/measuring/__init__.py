"""The way from targets to rows of results."""
