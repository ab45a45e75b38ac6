"""What of a series is outside nominal values, and what alerts that makes."""
