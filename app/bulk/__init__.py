"""`digits read`: any number of files in, a row for each out."""
