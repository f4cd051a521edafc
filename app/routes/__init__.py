"""The HTTP side, one file a resource. Routes know HTTP and the reader, and no tensors."""
