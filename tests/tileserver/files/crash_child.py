"""A child that crashes: see `test_sites_file`."""

import os
import signal

os.kill(os.getpid(), signal.SIGSEGV)
