"""Real data by command: downloads that are polite, whole or not there, and never done twice."""
