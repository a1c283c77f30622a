"""The one exception family: what the command line prints as a single line, and the exit status it carries."""

__all__ = ["BuildError", "FloatsocError", "JobError", "TargetError"]


class FloatsocError(Exception):
    """Base of every error meant for the user: what was given, what is allowed, what to do.

    The command line prints it as one line and exits with `exit_status`: 2 for a mistake in what
    was asked, 3 where a tool or a target failed.
    """

    exit_status = 2


class JobError(FloatsocError):
    """A job that cannot be run as written: unknown key, bad value, dimensions that do not fit."""


class BuildError(FloatsocError):
    """A tool that is missing, failed or ran out of time while building hardware or firmware."""

    exit_status = 3


class TargetError(FloatsocError):
    """A target that trapped, stopped early, ran out of time or could not be reached."""

    exit_status = 3
