"""What an archive may take to be read for a catalogue."""

from typing import Final

MEMORY_BYTES: Final = 1 << 30
CPU_SECONDS: Final = 5
SECONDS: Final = 10
