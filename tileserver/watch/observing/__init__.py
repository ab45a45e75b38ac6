"""What scenes, and the originals that they were compressed from, show of a site."""
