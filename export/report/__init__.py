"""The page of an export: differences between files, explained, with the digits that changed."""
