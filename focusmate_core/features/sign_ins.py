"""Sign-ins: families of refresh tokens, listed and ended; what an access token means."""
