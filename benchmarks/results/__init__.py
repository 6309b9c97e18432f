"""What a run found: its structs, its JSON, and what follows from it."""
