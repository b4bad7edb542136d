"""Training: one visible loop for one network, and the same loop for an ensemble of thousands."""

from smlib.train.ensemble import Ensemble, Member, start_ensemble, train_ensemble
from smlib.train.loop import pick_device, train
from smlib.train.workers import worker_count, worker_pool

__all__ = ["Ensemble", "Member", "pick_device", "start_ensemble", "train", "train_ensemble",
           "worker_count", "worker_pool"]
