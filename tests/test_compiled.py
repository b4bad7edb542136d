"""What numba keeps on disk is whole however many processes compile it at once."""

import subprocess
import sys
import textwrap

from smlib.nature import compiled

CALLED = """
    import sys, time
    import numba
    from numba.core.caching import IndexDataCacheFile
    import numpy as np
    from pathlib import Path
    from smlib.nature import compiled

    folder, kind, slow = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    compiled.FOLDER = folder
    numba.config.CACHE_DIR = str(folder)
    write = IndexDataCacheFile._save_data

    def late(self, *arguments):
        (folder / kind).touch()
        while not (folder / {"f4": "f8", "f8": "f4"}[kind]).exists() and time.time() < end:
            time.sleep(0.01)
        time.sleep(slow)
        write(self, *arguments)

    if slow:  # both write, and the one that named the file first writes it last
        end = time.time() + 3
        IndexDataCacheFile._save_data = late
        for _ in range(kind == "f8"):
            numba.njit(lambda x: x)(1)  # so that the names of what follows differ between the two
    sys.path.insert(0, str(folder.parent))
    import kernels

    print(kernels.doubled(np.ones(3, kind)), kernels.added(np.ones(3), 2.0)[0])
"""

KERNELS = """
    from smlib.nature.compiled import guvectorize, njit

    @njit()
    def doubled(x):
        total = 0.0
        for k in range(x.size):
            total += 2 * x[k]
        return total

    @guvectorize("f8,f8,f8[:]", "(),()->()")
    def added(x, y, out):
        out[0] = x + y
"""


def test_two_processes_that_compile_at_once_leave_nothing_wrong(tmp_path):
    """The second of two writers would otherwise leave its code under the first one's types and names."""
    (tmp_path / "kernels.py").write_text(textwrap.dedent(KERNELS))
    folder = tmp_path / "kept"
    folder.mkdir()
    call = [sys.executable, "-c", textwrap.dedent(CALLED), folder]
    both = [subprocess.Popen([*call, kind, slow], stdout=subprocess.PIPE, text=True)
            for kind, slow in (("f4", "0.3"), ("f8", "0.01"))]
    assert [one.communicate()[0].split() for one in both] == [["6.0", "3.0"]] * 2
    for kind in ("f4", "f8"):
        done = subprocess.run([*call, kind, "0"], capture_output=True, text=True)
        assert (done.returncode, done.stdout.split()) == (0, ["6.0", "3.0"]), done.stderr


def test_what_is_compiled_lies_in_a_folder_of_the_codes_hash():
    from smlib.nature import CODE, soil

    assert compiled.FOLDER.name == CODE[:16]
    assert soil._run._cache.cache_path.startswith(str(compiled.FOLDER))
