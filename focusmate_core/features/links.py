"""Links: invitations for whoever holds a code, as often and as long as they say."""
