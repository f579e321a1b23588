"""A spec back to YAML as a person would write it: no defaults, fields in order."""

from __future__ import annotations

import io
from collections.abc import Iterable

from ruamel.yaml import YAML

from dipper.spec.document import Spec


def dump(specs: Iterable[Spec]) -> str:
    """The documents of a file, `---` between them. Loading the text gives the specs again."""
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_unicode = True
    yaml.width = 4_096
    stream = io.StringIO()
    yaml.dump_all([spec.document() for spec in specs], stream)
    return stream.getvalue()
