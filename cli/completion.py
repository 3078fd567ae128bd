"""tokpress completion"""

import click

from .terminal import show


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print the script that completes `tokpress` commands and options in your SHELL.

    bash: tokpress completion bash >> ~/.bashrc

    zsh: tokpress completion zsh >> ~/.zshrc

    fish: tokpress completion fish > ~/.config/fish/completions/tokpress.fish
    """
    from click.shell_completion import get_completion_class

    from .main import cli

    writer = get_completion_class(shell)
    show(writer(cli, {}, "tokpress", "_TOKPRESS_COMPLETE").source() + "\n")
