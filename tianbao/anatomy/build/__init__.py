"""Rebuilds morphologies/ and connectome/ from three pinned wheels: `python -m tianbao.anatomy.build`.

The wheels are read as archives and never installed. Output is byte-deterministic: sorted rows,
LF line ends, fixed number formats.
"""
