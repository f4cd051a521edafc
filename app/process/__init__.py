"""How processes serve: they share an address, take signals, replace each other, and end."""
