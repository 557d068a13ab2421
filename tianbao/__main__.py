"""`python -m tianbao` is the `tianbao` command, as `python -m tianbao.cli` is."""

if __name__ == "__main__":
    from .cli import __main__  # noqa: F401 (it runs the command)
