"""The live panel and the routes that feed it."""
