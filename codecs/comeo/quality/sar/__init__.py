"""What a compressed radar scene is worth: figures and verdicts for backscatter in decibels."""
