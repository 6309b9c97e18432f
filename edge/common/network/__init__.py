"""Connections: passwords in addresses, logins, time limits, and errors in plain sentences."""
