"""Learning: worms as environments of Gymnasium, gradients through brain and body, circuits that are trained.

    import gymnasium
    import tianbao.learning
    env = gymnasium.make("Tianbao/Swim-v0")

Importing this package registers its environments if Gymnasium is installed, `pip install "tianbao[rl]"`; gradients and
circuits need nothing of it. `gymnasium.make("tianbao.learning:Tianbao/Swim-v0")` imports it by itself.
"""

from __future__ import annotations

from importlib.util import find_spec

_ONE, _MANY = "tianbao.learning.environments", "tianbao.learning.batches"

# One row per environment: its id, where its class is, where that of its batch is ("" where there is none), and after
# how many actions an episode is cut off.
ENVIRONMENTS: tuple[tuple[str, str, str, int], ...] = (
    ("Tianbao/Swim-v0", f"{_ONE}:SwimEnv", f"{_MANY}:SwimBatch", 200),
    ("Tianbao/Crawl-v0", f"{_ONE}:CrawlEnv", f"{_MANY}:CrawlBatch", 200),
    ("Tianbao/Chemotaxis-v0", f"{_ONE}:ChemotaxisEnv", f"{_MANY}:ChemotaxisBatch", 600),
    ("Tianbao/Obstacles-v0", f"{_ONE}:ObstaclesEnv", f"{_MANY}:ObstaclesBatch", 200),
    ("Tianbao/Escape-v0", "tianbao.learning.brains:Escape", "tianbao.learning.brains:EscapeBatch", 100),
    ("Tianbao/Lane-v0", "tianbao.learning.circuit_tasks:Lane", "", 300),
)


def _register() -> None:
    """Tell Gymnasium about the environments."""
    import gymnasium

    for name, single, batch, steps in ENVIRONMENTS:
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=single,
                vector_entry_point=batch or None,
                max_episode_steps=steps,
            )


if find_spec("gymnasium") is not None:
    _register()
