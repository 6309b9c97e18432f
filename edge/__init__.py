"""All that a Raspberry Pi needs, and what every stage shares. Imports no other stage and no training framework."""
