"""Why models say what they say: Shapley values, embeddings of hidden states, attention weights."""

from smlib.explain.attention import agreement, attention_shares, mean_agreement, shapley_shares
from smlib.explain.embedding import embeddings, orderliness, tsne
from smlib.explain.rows import input_names, predictor
from smlib.explain.shapley import additivity_gap, exact_grouped, importance, sampled, tree, values_table

__all__ = ["additivity_gap", "agreement", "attention_shares", "embeddings", "exact_grouped", "importance",
           "input_names", "mean_agreement", "orderliness", "predictor", "sampled", "shapley_shares", "tree", "tsne",
           "values_table"]
