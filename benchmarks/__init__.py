"""What the speed of this project is, measured: each script alternates both sides in one run. See README.md."""
