"""The results of a run: their structs, their JSON, and the findings derived from them."""
