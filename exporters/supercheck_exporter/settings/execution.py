"""How the Kubernetes cluster is reached in which Supercheck's tests run."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from supercheck_exporter.settings.fields import Group, setting

IN_CLUSTER = "in-cluster"


def _namespace(text: str) -> str:
    if not text.replace("-", "").isalnum():
        raise ValueError("not a namespace")
    return text


class ExecutionSettings(Group):
    """How Kubernetes is reached."""

    execution_kubeconfig: str | None = setting(
        None,
        f"the path of a file, or {IN_CLUSTER}",
        f"Kubeconfig of a user who may only read, or {IN_CLUSTER} for the pod's own account; unset: no Kubernetes.",
    )
    execution_namespace: Annotated[str, AfterValidator(_namespace)] = setting(
        "supercheck-execution", "the name of a namespace", "Where Supercheck's tests run."
    )
    execution_timeout_seconds: Annotated[float, Field(ge=1, le=30)] = setting(
        4.0, "seconds from 1 to 30", "Deadline of all reads of a scrape; keep it below the scrape timeout."
    )
