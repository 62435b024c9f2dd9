"""Learning from images alone: a task a file. Each makes its labels of the image, and gives an encoder whose weights a training can begin with."""
