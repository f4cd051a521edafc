"""The servers that are compared, each as its own documentation would have it written."""
