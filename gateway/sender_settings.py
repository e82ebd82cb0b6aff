"""The settings of single senders, beside those of the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
