"""The feed of an origin over HTTP."""
