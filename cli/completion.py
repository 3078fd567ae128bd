"""tokpress completion"""

import click

from .options import Command
from .terminal import show


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script with which a shell completes the commands and options of tokpress.

    \b
    Examples:
      tokpress completion bash >> ~/.bashrc
      tokpress completion zsh >> ~/.zshrc
      tokpress completion fish > ~/.config/fish/completions/tokpress.fish
    """
    from click.shell_completion import get_completion_class

    from .main import cli

    writer = get_completion_class(shell)
    assert writer is not None  # click has these three
    show(writer(cli, {}, "tokpress", "_TOKPRESS_COMPLETE").source() + "\n")
