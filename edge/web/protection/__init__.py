"""What keeps the server up and closed: names, tokens, limits, and time for slow clients."""
