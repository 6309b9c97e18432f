"""From targets to rows of results."""
