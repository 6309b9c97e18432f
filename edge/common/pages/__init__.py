"""Self-contained HTML pages and their charts, for the reports of all stages."""
