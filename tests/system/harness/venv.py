"""Python programs from PyPI, in an environment of their own under target/."""
import os
import subprocess

from . import machine

OVSDBAPP = "ovsdbapp>=2,<4"
PROBE = "import ovsdbapp.schema.ovn_northbound.impl_idl"
REASON = "VSWITCH_NO_OVSDBAPP"


def ovsdbapp_python():
    return os.path.join(os.environ.get("CARGO_TARGET_DIR") or machine.REPO + "/target", "ovsdbapp/bin/python")


def works():
    return os.path.exists(ovsdbapp_python()) and not subprocess.run([ovsdbapp_python(), "-c", PROBE], capture_output=True).returncode


def prepare():
    """Installs ovsdbapp once.  Before the tests leave the machine's network: inside of their own there is no PyPI."""
    if works():
        return
    venv = os.path.dirname(os.path.dirname(ovsdbapp_python()))
    try:
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", "--system-site-packages", venv], check=True, capture_output=True, timeout=60)
        subprocess.run([venv + "/bin/pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", "--timeout", "10", OVSDBAPP], check=True, capture_output=True, timeout=90)
    except (OSError, subprocess.SubprocessError) as e:
        last = (getattr(e, "stderr", None) or b"").decode(errors="replace").strip().splitlines()[-1:]
        os.environ[REASON] = "needs %s from PyPI, which cannot be had: %s" % (OVSDBAPP, last[0][:150] if last else e)


def lacking(_=None):
    return None if works() else os.environ.get(REASON, "needs %s, which is not installed in %s" % (OVSDBAPP, ovsdbapp_python()))
