"""The ground floor: everything without a domain. It imports nothing else of the project."""
