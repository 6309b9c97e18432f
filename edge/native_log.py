"""Native libraries (TensorFlow, LiteRT, ONNX Runtime) write start-up notes straight to file descriptor 2.

Nobody can act on "Created XNNPACK delegate", and it buries what people should read, so it is held back; when the work
fails, it is shown, because then it may hold the reason.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and replay it if the block raises."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
