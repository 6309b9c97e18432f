"""Measuring on other machines, through SSH."""
