"""Commands that are started again after SIGKILL, as a service manager does.

with supervised.started(settings, "serve", "--port", "8000") as command:
    command.kill_child()
    command.kill()
"""

import os
import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from tests.support import processes


class Supervised:
    """A command that runs. `kills` counts how often it, or a child, was killed."""

    def __init__(self, settings: Mapping[str, str], *arguments: str) -> None:
        self.kills = 0
        self._settings, self._arguments = settings, arguments
        self._stack = ExitStack()

    def start(self) -> None:
        command = processes.running(self._settings, *self._arguments)
        self.running = self._stack.enter_context(command)

    def kill(self) -> None:
        """Kill the command with its child processes, and start it again."""
        self.kills += 1
        self.running.kill()
        self._stack.close()
        self.start()

    def kill_child(self) -> None:
        """Kill one of the child processes, if there is any now."""
        if children := self.running.children:
            self.kills += 1
            with suppress(ProcessLookupError):
                os.kill(random.choice(sorted(children)), signal.SIGKILL)

    def close(self) -> None:
        self._stack.close()


@contextmanager
def started(settings: Mapping[str, str], *arguments: str) -> Iterator[Supervised]:
    """Yield a command that runs until the block ends."""
    command = Supervised(settings, *arguments)
    command.start()
    try:
        yield command
    finally:
        command.close()
