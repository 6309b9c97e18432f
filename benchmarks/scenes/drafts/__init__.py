"""Drafts of what other people photograph: forms, tables, registers, devices, and pictures without digits."""
