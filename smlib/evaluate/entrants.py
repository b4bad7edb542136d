"""A model with a target is one entrant: ``LSTM`` learns the moisture, ``LSTM (increment)`` the day's change.

Tidy results keep the model's name in ``model`` and the target in ``variant``; tables and figures compare entrants.
"""

SUFFIX = " (increment)"


def entrant(model, target="value"):
    """How pages name a model with a target."""
    return model + (SUFFIX if target == "increment" else "")


def parts(name):
    """Model and target of an entrant."""
    return (name.removesuffix(SUFFIX), "increment") if name.endswith(SUFFIX) else (name, "value")


def tidy(skill):
    """A skill table of entrants as the tidy results have it: the target moves from ``model`` to ``variant``."""
    is_increment = skill["model"].str.endswith(SUFFIX)
    variant = skill["variant"].fillna("").where(~is_increment, (skill["variant"].fillna("") + " increment").str.strip())
    return skill.assign(model=skill["model"].str.removesuffix(SUFFIX), variant=variant)


def untidy(skill):
    """The other way: a tidy skill table with entrants as its models."""
    variant = skill["variant"].fillna("").astype(str)
    is_increment = variant.str.endswith("increment")
    return skill.assign(model=skill["model"].where(~is_increment, skill["model"] + SUFFIX),
                        variant=variant.str.removesuffix("increment").str.strip())


def split_variant(skill):
    """A tidy skill table with the columns entrant, target and level_variant (the variant without the target)."""
    plain = untidy(skill)
    target = plain["model"].map(lambda name: parts(name)[1])
    return skill.assign(entrant=plain["model"], target=target, level_variant=plain["variant"])
