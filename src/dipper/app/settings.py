"""Settings of a workspace: `dipper.toml`, overridden by the environment.

`DIPPER_SERVE__DATA_PORT=9000` overrides `[serve] data_port`. Unknown names are errors, because a
misspelt setting that is silently ignored is worse than none. Secrets never stand here; they are in
`keys.toml` (`app.keys`).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dipper.kit.errors import BadInput, NotFound, did_you_mean

SETTINGS_FILE = "dipper.toml"


class WorkspaceSettings(BaseModel):
    """What this workspace is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("bank", description="Name shown on pages and reports.")
    demo: bool = Field(False, description="A demo workspace may run on a virtual clock.")
    time_zone: str = Field(
        "Asia/Shanghai", description="IANA zone of calendar windows and reports."
    )


class ServeSettings(BaseModel):
    """Where the processes listen and how much they may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(
        "127.0.0.1", description="Address of both ports; loopback unless told otherwise."
    )
    data_port: int = Field(8700, ge=0, le=65535, description="Collection and decide.")
    control_port: int = Field(8701, ge=0, le=65535, description="Console, API, tour, health.")
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"),
        description="Host headers that the control port answers.",
    )


class StorageSettings(BaseModel):
    """Fixed when the workspace is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: int = Field(1, ge=1, le=64, description="Log partitions, a gateway each.")
    buckets_person: int = Field(64, ge=1, le=1024, description="Lake buckets of persons.")
    buckets_other: int = Field(
        4, ge=1, le=64, description="Lake buckets of each other subject kind."
    )


class Settings(BaseSettings):
    """All settings of a workspace."""

    model_config = SettingsConfigDict(
        env_prefix="DIPPER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    workspace: WorkspaceSettings = WorkspaceSettings()  # type: ignore[call-arg]
    serve: ServeSettings = ServeSettings()  # type: ignore[call-arg]
    storage: StorageSettings = StorageSettings()  # type: ignore[call-arg]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, which arrives as init values."""
        return env_settings, init_settings


def load_settings(folder: Path) -> Settings:
    """Read `dipper.toml` of a workspace.

    Raises NotFound when the folder is no workspace and BadInput naming every wrong setting.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise NotFound(
            f"no {SETTINGS_FILE} here, so this is not a workspace.",
            where=str(folder),
            hint=f"Make one with: dipper init {folder}",
        )
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"not valid TOML: {error}", where=str(path)) from error
    try:
        return Settings(**raw)
    except ValidationError as error:
        raise BadInput(_explain(error, raw), where=str(path)) from error


def _explain(error: ValidationError, raw: dict[str, Any]) -> str:
    known = [f"{section}.{name}" for section, name, _ in setting_rows()]
    parts = []
    for problem in error.errors():
        name = ".".join(str(step) for step in problem["loc"])
        hint = did_you_mean(name, known) if problem["type"] == "extra_forbidden" else ""
        came = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
        parts.append(f"{name}: {problem['msg']}{came}. {hint}".strip())
    return "; ".join(parts)


def setting_rows() -> list[tuple[str, str, str]]:
    """(section, name, description) of every setting, for the reference page and its test."""
    rows = []
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        rows += [(section, name, f.description or "") for name, f in model.model_fields.items()]
    return rows
