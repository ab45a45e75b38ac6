"""Ways that messages go: e-mail, webhooks, services of others."""
