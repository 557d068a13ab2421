"""Learning: worms as environments of Gymnasium, gradients through brain and body, circuits that are trained.

    import gymnasium
    env = gymnasium.make("Tianbao/Swim-v0")

Gymnasium finds the environments by itself once Tianbao is installed with its extra, `pip install "tianbao[rl]"`.
Nothing of it is imported before it is used.
"""

from __future__ import annotations

# One row per environment: its id, where its class is, where that of its batch is ("" where there is none), and after
# how many actions an episode is cut off.
ENVIRONMENTS: tuple[tuple[str, str, str, int], ...] = (
    ("Tianbao/Lane-v0", "tianbao.learning.circuit_tasks:Lane", "", 300),
)


def register() -> None:
    """Tell Gymnasium about the environments; called by Gymnasium itself, and harmless when called again."""
    import gymnasium

    for name, single, batch, steps in ENVIRONMENTS:
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=single,
                vector_entry_point=batch or None,
                max_episode_steps=steps,
            )
