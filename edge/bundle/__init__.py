"""The contract between stages: a folder of model files and its card."""
