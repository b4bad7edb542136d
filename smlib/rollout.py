"""Iterative forecasts: each day's forecast becomes the next day's lagged moisture."""

import numpy as np

from smlib.data.windows import Windows


def roll_out(model, origins):
    """Forecast soil moisture from every origin, one day at a time, to the longest lead.

    The forecast for day o + k takes the drivers *observed* on o + k (a hindcast, the setting of Wang et al. 2024) and,
    as lagged moisture, observations up to day o and the model's own forecasts after it. All origins go through the
    model together.

    Parameters
    ----------
    model : has ``predict(Windows) -> ([member,] sample)``
        Several members at once see windows with a leading member axis from the second day on.
    origins : Origins
        Inputs in the scale that the model was fitted on.

    Returns
    -------
    ([member,] origin, lead) array, in the scale of the inputs
    """
    lookback = origins.moisture.shape[1]
    moisture = [origins.moisture[:, k] for k in range(lookback)]
    for step in range(max(origins.leads)):
        lagged = np.stack(np.broadcast_arrays(*moisture[step:step + lookback]), axis=-1)
        drivers = np.broadcast_to(origins.drivers[:, step:step + lookback], (*lagged.shape, origins.drivers.shape[2]))
        x = np.concatenate([drivers, lagged[..., None]], axis=-1)
        target = origins.time + np.timedelta64(step + 1, "D")
        moisture.append(model.predict(Windows(x, np.full(len(target), np.nan), target)))
    return np.stack([moisture[lookback - 1 + lead] for lead in origins.leads], axis=-1)
