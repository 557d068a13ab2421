"""Writes files as Tierpsy Tracker does: tables, attributes and rows of NaN as its docs/OUTPUTS.md describes them."""

from __future__ import annotations

import json

import h5py
import numpy as np

PIXEL, RATE = 12.4, 25.0
_ATTRIBUTES = {
    "microns_per_pixel": PIXEL, "xy_units": "micrometers", "fps": RATE, "expected_fps": RATE, "time_units": "seconds",
    "is_light_background": 1,
}  # fmt: skip


def _table(columns: dict[str, np.ndarray]) -> np.ndarray:
    table = np.zeros(len(next(iter(columns.values()))), [(name, each.dtype) for name, each in columns.items()])
    for name, each in columns.items():
        table[name] = each
    return table


def _put(file, name, values, attributes=None):
    made = file.create_dataset(name, data=values, chunks=True, maxshape=(None, *values.shape[1:]), compression="gzip")
    for key, value in {**_ATTRIBUTES, **(attributes or {})}.items():
        if value is not None:
            made.attrs[key] = np.bytes_(value) if isinstance(value, str) else value
    return made


def write_tierpsy(path, worms, kind="featuresN", attributes=None, info=None):
    """Write a plate.

    Args:
        path: of the file.
        worms: index of a worm -> (numbers of its frames, midlines [mm] (frames, points, 2); NaN where it was lost).
        kind: "skeletons", "features" or "featuresN".
        attributes: of the table, in place of the usual ones; None leaves one out.
        info: what the experimenter noted.
    """
    index = np.concatenate([np.full(len(frames), worm, np.int32) for worm, (frames, _) in worms.items()])
    frame = np.concatenate([np.asarray(frames, np.int32) for frames, _ in worms.values()])
    um = np.concatenate([1000.0 * np.asarray(lines)[..., :2] for _, lines in worms.values()])
    seen = np.isfinite(um).all(axis=(1, 2))
    with h5py.File(path, "w") as file:
        if info is not None:
            file["experiment_info"] = np.bytes_(json.dumps(info))
        if kind == "skeletons":
            columns = {
                "frame_number": frame, "worm_index_joined": index, "skeleton_id": np.arange(len(index), dtype=np.int32),
                "timestamp_raw": frame.astype(float), "timestamp_time": frame / RATE,
                "has_skeleton": seen.astype(np.uint8), "is_good_skel": seen.astype(np.uint8),
            }  # fmt: skip
            _put(file, "trajectories_data", _table(columns), attributes)
            _put(file, "skeleton", um / PIXEL)
        elif kind == "features":
            columns = {"worm_index": index, "timestamp": frame, "length": np.full(len(index), 1000.0, np.float32)}
            _put(file, "features_timeseries", _table(columns), attributes)
            _put(file, "coordinates/skeletons", um)
        else:
            rows = np.full(len(index), -1, np.int32)
            rows[seen] = np.arange(seen.sum())
            columns = {
                "timestamp_raw": frame, "worm_index_joined": index, "frame_number": frame, "skeleton_id": rows,
                "was_skeletonized": seen.astype(np.uint8),
            }  # fmt: skip
            _put(file, "trajectories_data", _table(columns), attributes)
            _put(file, "timeseries_data", _table({"worm_index": index, "timestamp": frame}))
            _put(file, "coordinates/skeletons", um[seen].astype(np.float32))
    return path
