"""Millions of hostile inputs: real files, forms and requests, changed at random and along the branches of the code."""
