"""Measurements on other machines over SSH."""
