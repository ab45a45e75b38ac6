"""What the server does, as functions that know nothing of HTTP."""
