"""Load generators: processes of their own, on a core of their own, that report what they cost."""
