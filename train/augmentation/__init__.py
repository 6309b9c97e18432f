"""The images that training adds or changes: distorted digits, and drawn shapes that are not digits."""
