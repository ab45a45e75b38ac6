"""Countries as areas."""
