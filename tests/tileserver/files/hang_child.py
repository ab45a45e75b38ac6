"""A child that never ends by itself: see `test_sites_file`."""

import time

time.sleep(60)
