"""The settings of single senders, beside those of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from gateway import setting_checks, systems


def _one(name: str, info: ValidationInfo) -> str:
    if name == systems.ALL:
        raise ValueError(f"{name} is no single system; what holds for every one has a setting of its own")
    return systems.check(name, info)


System = Annotated[str, AfterValidator(_one)]


class SenderSettings(BaseModel):
    """What the documentation of a sender leaves open, or its users want either way."""

    cdevents_lenient_identity: bool = Field(
        False, description="let the CloudEvents id and time differ from the CDEvent's own"
    )
    tracker_status_table: Literal["guide", "proto"] = Field(
        "guide",
        description="what Tracker's status numbers mean: its guide's table or its proto file's",
    )
    grafana_drop_tests: bool = Field(
        False, description="publish no alert that Grafana's Test button sends: it is a control message then"
    )
    jira_incident_types: tuple[str, ...] = Field(
        ("incident",),
        description="an issue of Jira is an incident when the name of its type holds one of these words, in "
        "any case; separated by commas",
    )
    github_incident_labels: tuple[str, ...] = Field(
        ("incident",),
        description="an issue of GitHub is an incident when it has one of these labels, in any case; "
        "separated by commas",
    )
    system_ack: Mapping[System, Literal["spool"]] = Field(
        {}, description="systems that never wait for Kafka, such as sentry=spool, separated by commas"
    )
    system_ack_budget_ms: Mapping[System, Annotated[int, Field(ge=10, le=800)]] = Field(
        {"sentry": 300},
        description="a shorter wait for Kafka for systems that wait less themselves, separated by commas",
    )

    _split_words = field_validator("jira_incident_types", "github_incident_labels", mode="before")(
        setting_checks.split
    )
    _split_pairs = field_validator("system_ack", "system_ack_budget_ms", mode="before")(setting_checks.pairs)
