"""Logs of the board's processes: a line of JSON each."""

import json
import logging
import sys

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JSONFormatter(logging.Formatter):
    """Writes a record with all that was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record.

        Args:
            record: Of the log.

        Returns:
            One line.
        """
        document = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _PLAIN},
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)


class _StandardError(logging.Handler):
    """Writes to what standard error is at the time, which tests and supervisors replace."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def log_as_json() -> None:
    """Send the logs of this process to standard error, as JSON."""
    handler = _StandardError()
    handler.setFormatter(JSONFormatter())
    logger = logging.getLogger("lrmp.board")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
