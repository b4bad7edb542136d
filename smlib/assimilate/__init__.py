"""Assimilation: pulling a recursive forecast back with a day's observations, and what that is compared with.

Symbols and shapes, the same in every module here; all moisture in m3 m-3:

=============  ========================  ==========================================================================
``window``     (member, lookback, y, x)  the days that a forecast sees, the newest last
``x_f``        (member, y, x)            forecast, the background of the analysis
``x_a``        (member, y, x)            analysis: the forecast after the day's observations
``y``          (member, y, x)            observations on the cells of the state, NaN or anything where there is none
``observed``   (member, y, x)            which of them count: bool, or a weight from 0 to 1
``tau``        scalar or (member,)       strength of nudging, in (0, 1]
``valid``      (y, x) bool               the cells that belong to the state; the others are never read
=============  ========================  ==========================================================================

``member`` is a batch axis: the settings of an experiment (tau, fraction, noise ...) side by side. Three kinds of
objects meet in `nudging.roll_out`:

- a forecast, anything with ``forecast(window) -> x_f``;
- observations, ``observe(day) -> (y, observed)``, with day 0 the first forecast day;
- an analysis, ``analyse(x_f, y, observed) -> x_a``. An observation that is NaN or outside `valid` is none, and where
  nothing is observed the analysis is the background.
"""
