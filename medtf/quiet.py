"""Keep TensorFlow's greeting off the terminal, and nothing else."""

import contextlib
import logging
import os
import re
import sys
import tempfile

# TensorFlow 2.21 prints these whatever TF_CPP_MIN_LOG_LEVEL says: absl's banner, its lines of level INFO
# (`I0000 00:00:17...`), and cuInit's failure, which is how a machine without a GPU looks
_CHATTER = re.compile(
    rb"^(I\d{4} |WARNING: All log messages before absl::InitializeLog|E\d{4} .*failed call to cuInit)"
)


@contextlib.contextmanager
def quiet():
    """Hold back what is written to stderr, C++ included; afterwards let through all that is not TensorFlow's chatter.

    Use: `with quiet(): import tensorflow`. Short work only: what is held back shows when the block ends.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors stay; what it does not reach is held back here
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        real = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)


@contextlib.contextmanager
def silent_tracing():
    """Each model and each size of batch is traced once, so several in one process make TensorFlow warn of tracing too often."""

    def without(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(without)
    try:
        yield
    finally:
        logger.removeFilter(without)
