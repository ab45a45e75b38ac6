"""What users have given the server to keep, apart from the catalogue, which can be thrown away."""
