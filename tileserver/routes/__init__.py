"""HTTP in and out: parameters are checked, answers are given, no array is touched."""
