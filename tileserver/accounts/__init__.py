"""Who somebody is, without passwords, and who may do what."""
