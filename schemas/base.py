"""The base of every model that crosses a room's border."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value; a key it does not know is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Settings(Record):
    """Typed settings of a plug-in (generator, source, filter, back end, exporter).

    Each field carries its default and a `description`; `synthmill recipe schema` prints both.
    """

    model_config = ConfigDict(allow_inf_nan=False)
