"""The tokpress command."""


def main() -> None:
    from .main import cli

    cli(prog_name="tokpress")
