"""Protection of the server: host names, tokens, limits, and timeouts for slow clients."""
