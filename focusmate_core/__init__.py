"""focusmate_core: focusing together as a library; what is imported from here is promised."""
