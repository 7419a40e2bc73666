"""Sending a folder to the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promptreid.errors import ConfigError, first_line
from promptreid.hub.hub_address import PREFIX, parse_hub_address


@dataclass(frozen=True)
class Upload:
    """Where a folder goes on the hub, and how.

    Attributes:
        repository: `OWNER/NAME`; it is made where there is none.
        private: Whether a repository that is made is private.
        token: None for that of `HF_TOKEN` or of a login.
        branch: None for the main branch.
        create_pr: Whether to propose the change instead of making it.
        commit_message: What the change is, in a line.

    Raises:
        ConfigError: The repository is not named OWNER/NAME.
    """

    repository: str
    private: bool = False
    token: str | None = None
    branch: str | None = None
    create_pr: bool = False
    commit_message: str = "Model written by promptreid"

    def __post_init__(self) -> None:
        address = parse_hub_address(PREFIX + self.repository.removeprefix(PREFIX))
        if address.revision or address.file:
            raise ConfigError(
                f"A model goes to a repository, OWNER/NAME, not to {self.repository}; name a "
                "branch by branch."
            )
        object.__setattr__(self, "repository", address.repository)


def upload_folder(folder: Path, upload: Upload) -> str:
    """Send all files of a folder in one commit.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: The hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=upload.token)
    try:
        api.create_repo(upload.repository, private=upload.private, exist_ok=True)
        if upload.branch is not None:
            api.create_branch(upload.repository, branch=upload.branch, exist_ok=True)
        done = api.upload_folder(
            repo_id=upload.repository,
            folder_path=folder,
            revision=upload.branch,
            create_pr=upload.create_pr,
            commit_message=upload.commit_message,
        )
    except Exception as error:  # the client raises many kinds, few of them documented
        raise ConfigError(
            f"The model could not be sent to {upload.repository} "
            f"({type(error).__name__}: {first_line(error)}). Sending needs a token that may write: "
            "`hf auth login`, or HF_TOKEN."
        ) from error
    return str(done)
