"""What the viewer costs on a slow link, in a real browser."""
