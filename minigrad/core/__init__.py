"""The heart of the engine: devices, random streams, the tape and the tensor."""
