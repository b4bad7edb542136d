"""Peak memory of training on a cube that does not fit in memory; prints one JSON object.

    python benchmarks/streaming.py [--days 1826] [--channels 17] [--size 320 620] [--limit 16] [--steps 60]
                                   [--device cuda]

By default the cube of Rabiei et al. at full size: 9 km over CONUS, 2018-2022, 17 predictors, 27 GB in single precision,
made chunk by chunk as it is read (dask). Trained for `steps` batches and then judged and predicted for some days, under
a limit that the system holds the process to: more memory than `--limit` GiB and it fails. Seconds are of the making of
the numbers as well.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from benchmarks.convlstm import resident  # noqa: E402
from smlib import determinism  # noqa: E402
from smlib.data.patches import CHUNK, TOGETHER, PatchSource, issue_days  # noqa: E402
from smlib.models.stacked import FORECAST, LEADS, forecast, narrowed  # noqa: E402
from smlib.train import pick_device  # noqa: E402
from smlib.train.losses import forecast_loss  # noqa: E402
from smlib.train.patched import predict, train_patched  # noqa: E402

GIB = 2**30


def cube(days, maps, size):
    """A lazy cube of waves that wander, (day, map, y, x) float32 in chunks of days, NaN in the half that is sea."""
    def block(block_info):
        (first, stop), *_ = block_info[None]["array-location"]
        y, x = np.ogrid[:size[0], :size[1]]
        wave = np.sin(0.05 * x + 0.03 * y).astype(np.float32)
        wave[:, size[1] // 2:] = np.nan
        phase = np.arange(first, stop)[:, None] / 20 + np.arange(maps)
        return wave * np.cos(phase).astype(np.float32)[..., None, None]

    chunks = da.core.normalize_chunks((CHUNK, maps, *size), (days, maps, *size))
    return da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 4, np.float32))


class Gone:
    """Takes fields and keeps none: what would go to a file."""

    def __setitem__(self, day, field):
        pass


def measure(asked):
    """Train, judge and predict; seconds and peak memory."""
    determinism.fix(0, asked.threads)
    inputs, target = (cube(asked.days, maps, asked.size) for maps in (asked.channels, 1))
    days = issue_days(0, asked.days, leads=LEADS)
    source, later, last = (PatchSource(inputs, target, part, leads=LEADS) for part in
                           (days[:-CHUNK], days[-CHUNK:], days[-asked.predicted:]))
    patches = (TOGETHER * CHUNK) * np.prod([len(c) for c in source.corners]) / 2  # of a pool, half of it sea
    pools = -(-len(source.blocks) // TOGETHER)
    model, start = forecast(asked.channels, narrowed(FORECAST, asked.share)), time.perf_counter()
    _, history = train_patched(model, source, later, forecast_loss, epochs=1, share=asked.steps * 32 / patches / pools,
                               validation_share=1e-4, device=asked.device, progress=True)
    trained = time.perf_counter()
    predict(model, last, out=Gone(), device=asked.device)
    return {"cube_gib": (inputs.nbytes + target.nbytes) / GIB, "limit_gib": asked.limit,
            "peak_gib": resident("VmHWM") * 1024 / GIB, "pool_gib": TOGETHER * (CHUNK + 2) * inputs[0].nbytes / GIB,
            "epoch_seconds": trained - start, "predicted_days": asked.predicted,
            "prediction_seconds": time.perf_counter() - trained, "train_loss": float(history.train_loss.iloc[0])}


def main(arguments=None):
    """Measure, and print the object."""
    parser = argparse.ArgumentParser(description="Peak memory of training on a cube larger than memory.")
    parser.add_argument("--days", type=int, default=1826)
    parser.add_argument("--channels", type=int, default=17)
    parser.add_argument("--size", type=int, nargs=2, default=[320, 620], help="cells, y and x")
    parser.add_argument("--limit", type=float, default=16, help="GiB that the process may have")
    parser.add_argument("--steps", type=int, default=60, help="batches of 32 patches, of the whole epoch")
    parser.add_argument("--predicted", type=int, default=1, help="days")
    parser.add_argument("--share", type=float, default=0.125, help="of the published filters")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(arguments)
    if pick_device(asked.device).type == "cpu":  # a GPU's driver asks for address space without using it
        resource.setrlimit(resource.RLIMIT_DATA, (int(asked.limit * GIB),) * 2)
    with dask.config.set(scheduler="synchronous"):
        found = measure(asked)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=1))
    if found["peak_gib"] > asked.limit:
        sys.exit(f"{found['peak_gib']:.1f} GiB are more than {asked.limit:g}")


if __name__ == "__main__":
    main()
