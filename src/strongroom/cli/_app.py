"""The list of all commands, in the order in which a newcomer meets them; importing it imports none of them.

    build().parse_args(["version"])

Each line names the function's module, and repeats the first line of its help page: a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import App, Group

from strongroom import __version__
from strongroom.cli._help import PlainHelp

BOTH = Group("Owner and partner", sort_key=1)
OWNER = Group("Owner: has a model and shares it", sort_key=2)
PARTNER = Group("Partner: uses a model of somebody else", sort_key=3)


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the overview."""

    name: str
    group: Group
    help: str
    synonyms: tuple[str, ...] = ()
    """What people type who know other tools; answered with "did you mean"."""


COMMANDS = (
    Command("init", BOTH, "Make a home: the directory of one organization, with its keys."),
    Command("demo", BOTH, "Play hospital, clinic and competitor from end to end, in one to two minutes."),
    Command("verify", BOTH, "Check that a package is whole and signed by the owner it names.", ("check",)),
    Command(
        "inspect", BOTH, "Explain any file of Strongroom in plain words, without a key.", ("show", "cat")
    ),
    Command("doctor", BOTH, "Check this machine and this home, and say how to fix what is wrong."),
    Command("env", BOTH, "Print what belongs into a bug report.", ("info",)),
    Command("member", BOTH, "List, add and remove the people who have access to a broker.", ("user",)),
    Command("lease", BOTH, "List, return and release leases."),
    Command("derivation", BOTH, "Hand in, list, fetch and refuse derived models over a broker."),
    Command("usage", BOTH, "Show what was used of each license, and what is handed out."),
    Command("log", BOTH, "Read, verify and prove the log of everything that happened."),
    Command("receipt", BOTH, "Verify and show receipts: which model turned what into what.", ("receipts",)),
    Command("completion", BOTH, "Print the completion script for a shell."),
    Command("version", BOTH, "Print the version."),
    Command(
        "seal", OWNER, "Encrypt and sign a model, so that only licensed partners can use it.", ("encrypt",)
    ),
    Command("broker", OWNER, "Run this owner's broker."),
    Command("invite", OWNER, "Make the invitation with which a partner joins."),
    Command("partner", OWNER, "List, approve, refuse and suspend partners.", ("partners",)),
    Command(
        "publish",
        OWNER,
        "Let your broker release the key of a sealed model to licensed partners.",
        ("push",),
    ),
    Command("grant", OWNER, "Give partners a license to use a model.", ("share", "issue")),
    Command("license", OWNER, "List, show, end, narrow and check out licenses.", ("licenses", "licence")),
    Command(
        "countersign", OWNER, "Check a model that a partner made of one of yours, and make a package of it."
    ),
    Command("owner", OWNER, "Show and rotate the owner document, which partners pin."),
    Command("join", PARTNER, "Answer an owner's invitation with your keys.", ("enroll", "login")),
    Command("request", PARTNER, "Ask an owner for a license.", ("ask",)),
    Command("accept", PARTNER, "Accept a license and its agreement, and add it to this home.", ("import",)),
    Command("models", PARTNER, "List the models that this home may use.", ("list", "ls")),
    Command(
        "open", PARTNER, "Check everything about a model and say what would run; run nothing.", ("load",)
    ),
    Command("predict", PARTNER, "Run a model on a file of inputs.", ("score",)),
    Command(
        "run",
        PARTNER,
        "Keep models open and answer programs in any language, on this machine or a network.",
        ("serve", "start"),
    ),
    Command(
        "client",
        PARTNER,
        "List, add and remove the clients of a network that what you run answers.",
        ("token", "clients"),
    ),
    Command(
        "service",
        PARTNER,
        "Run models as a service of this machine, under an account that nobody logs in to.",
        ("daemon", "systemd"),
    ),
    Command(
        "break-glass",
        PARTNER,
        "Use a model in an emergency, when the broker is down and the grace time is over.",
        ("emergency",),
    ),
    Command("export", PARTNER, "Write the plain model to a folder, if the license allows it.", ("decrypt",)),
    Command(
        "derive",
        PARTNER,
        "Hand a model that you made of a licensed one back to its owner, for countersigning.",
        ("modify",),
    ),
)

_COMMANDS = "strongroom.cli"
_HELP = "Share trained models with partners who may use them, but not copy, change or outstay them."
_EXAMPLES = """\
Examples:
  $ strongroom demo                          # see all of it at work
  $ strongroom seal risk.onnx --name risk    # owner: seal a model
  $ strongroom grant north south risk        # owner: one folder for each partner
  $ strongroom predict risk patients.csv     # partner: use it

Help on one command: strongroom COMMAND --help"""


def build() -> App:
    """Make the program, with every command still to be imported."""
    app = App(
        name="strongroom",
        help=_HELP,
        help_format="plaintext",
        help_formatter=PlainHelp(),
        help_epilogue=_EXAMPLES,
        version=f"strongroom {__version__}",
        version_flags=["--version"],
        group_commands=Group("Options", sort_key=50),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for order, command in enumerate(COMMANDS):
        module = f"{_COMMANDS}.{command.name.replace('-', '_')}"
        app.command(
            f"{module}:app", name=command.name, help=command.help, group=command.group, sort_key=order
        )
    app.command(f"{_COMMANDS}.completion:install_app", name="--install-completion", help=INSTALL_COMPLETION)
    return app


INSTALL_COMPLETION = "Add command completion to the shell that runs this."
