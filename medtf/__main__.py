"""`python -m medtf` is `medtf`."""

from medtf.cli import main

if __name__ == "__main__":
    main()
