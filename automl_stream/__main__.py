"""python -m automl_stream: the command without its launcher."""

from automl_stream.cli import main

if __name__ == "__main__":
    main()
