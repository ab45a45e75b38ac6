"""What a relay wants, in which order it comes, and what that costs."""
