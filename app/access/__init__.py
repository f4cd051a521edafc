"""Who may ask: keys, and which pages of other sites."""
