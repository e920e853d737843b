"""The composition root: settings, command line, roles, executor; the one place that knows all."""
