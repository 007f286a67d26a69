"""``strongroom completion`` and ``strongroom --install-completion``."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from strongroom.cli._page import Page, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

Shell = Literal["bash", "zsh", "fish"]


def completion(
    shell: Annotated[Shell, Parameter(help="The shell to complete for.")], /, *, shared: Shared = SHARED
) -> None:
    """Print the completion script for a shell.

    To install it for the shell that you use, run `strongroom --install-completion` instead.

    Examples:
        $ strongroom completion bash > ~/.local/share/bash-completion/completions/strongroom
        $ strongroom completion fish > ~/.config/fish/completions/strongroom.fish

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    script = _program().generate_completion(shell=shell)
    if shared.json:
        shared.terminal.result({"shell": shell, "script": script}, script)
    else:
        # Unchanged: a script holds tabs, and here no stranger wrote them.
        shared.terminal.data(script.encode())


def install(*, shared: Shared = SHARED) -> None:
    """Add command completion to the shell that runs this.

    Examples:
        $ strongroom --install-completion

    Raises:
        UsageError: the shell is not one of bash, zsh and fish, or cannot be told.
        OSError: the script cannot be written.
    """
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        shell = detect_shell()
    except ShellDetectionError as error:
        raise UsageError(
            "cannot tell which shell this is", code="unknown-shell", hint="see `strongroom completion --help`"
        ) from error
    path = _program().install_completion(shell=shell)
    shared.terminal.result({"shell": shell, "path": str(path)}, str(path))
    shared.terminal.note(f"Completion for {shell} is installed; it works in the next shell that you start.")


def _program() -> App:
    from strongroom.cli._app import build

    return build()


app = page(completion, "completion")
install_app: Page = page(install, "--install-completion")
