"""What focusmate is measured against: other stacks doing the same work, and machines doing none."""
