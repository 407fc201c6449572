"""The exceptions that this project raises on purpose.

::

    FetalHealthError            anything this project raises on purpose
    |-- InputError              the input is wrong; the message says what, where and what to do
    |   |-- FormatError         the file is not what it claims to be, or is damaged
    |   `-- RangeError          a value lies outside what is physiologically possible
    |-- DataSetError            a data set is missing, incomplete or damaged
    `-- BundleError             a bundle is missing, incomplete or does not match its manifest
"""


class FetalHealthError(Exception):
    """Base of every error that carries a message fit for a user."""


class InputError(FetalHealthError):
    """The input cannot be used. The message is one plain line for the person who sent it."""


class FormatError(InputError):
    """The file is of another type than expected, or truncated or damaged."""


class RangeError(InputError):
    """A value lies outside its physiological or technical range."""


class DataSetError(FetalHealthError):
    """A data set is absent or not in its official layout."""


class BundleError(FetalHealthError):
    """A model bundle is missing, incomplete, or differs from its manifest."""
