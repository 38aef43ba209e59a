"""What the sections of a configuration have in common."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo


class Section(BaseModel):
    """A part of the configuration: immutable, and without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Let a relative path start at the configuration file."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


FilePath = Annotated[Path, AfterValidator(beside_the_file)]
Label = Annotated[str, Field(min_length=1)]
"""Text that is not empty."""
Secret = Annotated[SecretStr, Field(min_length=1)]
"""The same, which is never shown."""
