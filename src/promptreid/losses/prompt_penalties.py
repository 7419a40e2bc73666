"""Penalties on the learned tokens of a prompt."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.config.losses import PromptOrthogonalOptions, PromptPenaltyOptions
from promptreid.errors import ConfigError
from promptreid.losses.loss_inputs import Outputs
from promptreid.models.prompts.prompt import PromptOfIdentities


def token_orthogonality(shared: Tensor, domains: Tensor) -> Tensor:
    """Sum the squared cosines of shared tokens and those of a domain, averaged over domains.

    mean_k ||normalise(P_S) normalise(P_Dk)^T||_F^2, each token normalised on its own. Zero when
    every shared token is orthogonal to every domain token, Ms * Md at most.

    Args:
        shared: (Ms, width) P_S.
        domains: (K, Md, width) P_D1 to P_DK.

    Returns:
        A scalar in float32.
    """
    with torch.autocast(shared.device.type, enabled=False):
        cosines = F.normalize(domains.float(), dim=-1) @ F.normalize(shared.float(), dim=-1).T
        return cosines.square().sum(dim=(1, 2)).mean()


def prompt_orthogonal_term(outputs: Outputs, options: PromptOrthogonalOptions) -> Tensor:
    """Keep the prompt's shared tokens apart from those of its domains.

    Raises:
        ConfigError: The prompt lacks one of them.
    """
    prompt = _read_prompt(outputs)
    shared, domains = prompt.shared, prompt.domain
    if shared is None or domains is None:
        raise ConfigError(
            "The loss prompt_orthogonal keeps the shared tokens of a prompt apart from those of "
            "its domains, but this prompt has "
            + ("no shared ones" if shared is None else "none of domains")
            + ". Set prompt.shared_tokens and prompt.domain_tokens, or leave the loss out."
        )
    return token_orthogonality(shared, domains)


def prompt_size_term(outputs: Outputs, options: PromptPenaltyOptions) -> Tensor:
    """Return the mean square of the learned prompt tokens."""
    return _read_prompt(outputs).tokens.float().pow(2).mean()


def _read_prompt(outputs: Outputs) -> PromptOfIdentities:
    if outputs.prompt is None:
        raise RuntimeError("Penalties on tokens need prompts of identities.")
    return outputs.prompt
