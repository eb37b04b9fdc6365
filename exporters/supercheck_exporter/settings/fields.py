"""What every group of settings is made of: how a field is declared, and the types that several groups share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

FLAG = "true or false"


class Group(BaseModel):
    """Settings of one source. Each is read from the variable of the same name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def setting(default: Any, allowed: str, help_text: str) -> Any:
    """A field: its default, what is allowed (the end of a sentence), and what it means."""
    return Field(default, description=help_text, json_schema_extra={"allowed": allowed})


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("no scheme")
    return text.rstrip("/")


def _host(text: str) -> str:
    if any(char in text for char in "/@ "):  # a whole URL, perhaps with its password, which would be shown
        raise ValueError("not a host")
    return text


def pairs(text: object) -> object:
    """Read ``name=number,name=number``; a name may hold ``=``, so the last one splits."""
    if not isinstance(text, str):
        return text
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = item.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(f"{item!r} is not name=number")
        pairs[name.strip()] = number.strip()
    return pairs


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
IsSet = Annotated[bool, BeforeValidator(bool)]
Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0)]
