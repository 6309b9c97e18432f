"""What can be measured, and how its process is started."""
