"""Many small networks stepped as one program."""
