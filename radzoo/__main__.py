"""The command line, as ``python -m radzoo``."""

from flows.cli.main import main

if __name__ == "__main__":
    main()
