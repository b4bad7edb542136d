"""Run notebooks with papermill. A run lands whole under its hash, or not at all."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from smlib import paths
from smlib.run import manifest, params
from smlib.run.params import RunError
from smlib.run.results import SESSION

MANIFEST = "manifest.json"


def notebook_of(folder, name):
    """Where the executed notebook `name` lies in a run's folder."""
    return Path(folder) / f"{name.rsplit('/', 1)[-1]}.ipynb"


def finished(name, profile, hash):
    """The folder of the finished run with exactly this hash, or None."""
    folder = paths.RUNS / profile / name / hash
    try:
        record = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    good = record.get("status") == "finished" and record.get("hash") == hash and notebook_of(folder, name).exists()
    return folder if good else None


def run(name, profile="smoke", overrides=None, file=None, force=False):
    """Run the notebook `name`, or find its finished run, and return the run's folder.

    Parameters
    ----------
    name : str
        A notebook of the book.
    profile : str
        smoke, quick or full.
    overrides, file : dict, path, optional
        Parameters, over those of the profile; see `params.resolve`.
    force : bool
        Run again even if there is a finished run of the same hash, and take its place.

    Raises
    ------
    RunError
        For a wrong parameter, no usable kernel, a cell that fails, or code or data that changed under the run (what it
        left is then kept in `failed/`).
    """
    parameters = params.resolve(name, profile, overrides, file)
    identity = manifest.identity(name, parameters)
    hash = manifest.run_hash(identity)
    folder = finished(name, profile, hash)
    if folder and not force:
        return folder
    home = paths.RUNS / profile / name
    home.mkdir(parents=True, exist_ok=True)
    sweep(home)
    partial = home / f".{hash}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with _environment(_kernel_environment(name, partial)):
            check_kernel(name)
            started, clock = manifest.now(), time.monotonic()
            error = _papermill(name, parameters, partial)
        session = _session(name, partial) if error is None else {}
        if error is None and manifest.identity(name, parameters) != identity:
            error = "code, data or notebook changed while it ran, so it cannot stand for either state; run it again"
        _leave_record(partial, manifest.record(identity, profile, started, time.monotonic() - clock,
                                               "failed" if error else "finished", session))
        if error:
            replace(partial, home / "failed")
            raise RunError(f"{name} failed; the notebook as far as it went is in "
                           f"{notebook_of(home / 'failed', name)}\n{error}")
        shutil.rmtree(home / "failed", ignore_errors=True)
        shutil.rmtree(paths.RUNS / "checkpoints" / name, ignore_errors=True)
        return _publish(partial, home / hash, force)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def run_all(names, profile, jobs=2, force=False):
    """Run the notebooks `names`, `jobs` at a time, each in a process of its own; return the names that failed.

    A failure stops none of the others. What is finished already is not started.
    """
    waiting = [name for name in names if force or not _is_done(name, profile)]
    for name in names:
        if name not in waiting:
            print(f"{name}: unchanged, not run again")

    def one(item):
        row, name = item
        command = [sys.executable, "-m", "smlib", "run", name, "--profile", profile, *(["--force"] if force else [])]
        # Each bar has a line of its own.
        env = os.environ | {"PYTHONPATH": python_path(), "TQDM_POSITION": str(row % jobs)}
        return subprocess.run(command, env=env, cwd=paths.ROOT, stdin=subprocess.DEVNULL).returncode

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        codes = list(pool.map(one, enumerate(waiting)))
    return [name for name, code in zip(waiting, codes, strict=True) if code]


def sweep(home):
    """Delete what killed runs left in `home`, the folder of one notebook's runs."""
    for leftover in home.glob(".*.partial"):
        owner = re.search(r"\.(\d+)\.partial$", leftover.name)
        if owner and not _alive(int(owner[1])):
            shutil.rmtree(leftover, ignore_errors=True)


def replace(new, old):
    """Put the folder `new` where `old` is; `old` goes away only when it is out of the way."""
    aside = old.with_name(f".{old.name}-old.{os.getpid()}.partial")
    if old.exists():
        os.rename(old, aside)
    os.rename(new, old)
    shutil.rmtree(aside, ignore_errors=True)


def check_kernel(name):
    """Raise `RunError` unless the notebook asks for the kernel `python3` and that is the Python running here.

    A kernel spec in the user's folder may carry the same name and start another environment, with other versions than
    those the manifest would tell.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    wanted = params.load(name).metadata.get("kernelspec", {}).get("name")
    if wanted != "python3":
        raise RunError(f"{name}: its kernel spec must be python3, not {wanted or 'missing'}; in JupyterLab choose "
                       "the kernel Python 3 and save")
    try:
        program = KernelSpecManager().get_kernel_spec(wanted).argv[0]
    except (NoSuchKernel, IndexError):
        raise RunError("there is no Jupyter kernel python3 in this environment: pip install -r requirements.txt") \
            from None
    if program not in ("python", "python3", f"python3.{sys.version_info.minor}") and (
            Path(program).parent.absolute() != Path(sys.executable).parent.absolute()):
        raise RunError(f"the Jupyter kernel python3 starts {program}, not {sys.executable}; remove that kernel spec "
                       "(jupyter kernelspec list shows where it is)")


def _is_done(name, profile):
    parameters = params.resolve(name, profile)
    return finished(name, profile, manifest.run_hash(manifest.identity(name, parameters)))


def _papermill(name, parameters, folder):
    """Execute the notebook in `folder`; None, or what went wrong as text."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    # The page shows beside the defaults what differs from them, and nothing twice.
    parameters = params.changed(parameters, {key: known.default for key, known in params.read(name).items()})
    try:
        # The working directory is the run's own: a notebook that finds its files by relative paths fails here.
        papermill.execute_notebook(paths.BOOK / f"{name}.ipynb", notebook_of(folder, name), parameters,
                                   kernel_name="python3", cwd=folder, progress_bar={"desc": name},
                                   # Others on this machine cannot read along, and the kernel does not warn of it.
                                   config=Config({"KernelManager": {"transport_encryption": "auto"}}))
    except papermill.PapermillExecutionError as error:
        tail = "\n".join(error.source.splitlines()[:8])
        return f"In [{error.exec_count}]: {error.ename}: {error.evalue}\n{tail}"
    except DeadKernelError:
        return "the kernel died; the machine may have run out of memory"
    return None


def _session(name, folder):
    try:
        session = json.loads((folder / SESSION).read_text())
    except FileNotFoundError:
        raise RunError(f"{name} never called smlib.run.begin, so nothing says what it left behind") from None
    (folder / SESSION).unlink()
    if Path(session["executable"]).parent != Path(sys.executable).parent:
        raise RunError(f"{name} ran under {session['executable']}, not {sys.executable}")
    return session


def _leave_record(folder, record):
    (folder / MANIFEST).write_text(json.dumps(record, indent=1) + "\n")


def _publish(partial, final, force):
    """Rename a complete run to its place; where another process was first, its run stays unless `force`."""
    if force and final.exists():
        replace(partial, final)
        return final
    try:
        os.rename(partial, final)
    except OSError:
        if not (final / MANIFEST).exists():  # something that is no run holds the name
            replace(partial, final)
    return final


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def python_path():
    """The kernel must import the `smlib` that was hashed, installed or not, whatever its working directory."""
    return os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))


def _kernel_environment(name, folder):
    threads = str(manifest.THREADS)
    return {
        "SMLIB_RUN_DIR": str(folder), "SMLIB_NOTEBOOK": name, "SMLIB_THREADS": threads,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), threads),
        "PYTHONHASHSEED": "0", "PYTHONPATH": python_path(), "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TQDM_DISABLE": "1",  # bars belong on the terminal, where the run has its own, not on the page
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


@contextlib.contextmanager
def _environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
