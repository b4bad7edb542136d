"""The simulated world: a nature run with known truth, and the products and networks that would have seen it."""
