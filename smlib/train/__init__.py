"""Training: one visible loop for one network, and the same loop for an ensemble of thousands."""

from smlib.train.ensemble import Ensemble, Member, train_ensemble
from smlib.train.loop import pick_device, train

__all__ = ["Ensemble", "Member", "pick_device", "train", "train_ensemble"]
