"""AWS CloudWatch alarms, as SNS delivers them over HTTP.

Source: Amazon's developer guide of SNS (HTTP messages, raw delivery, confirmation) and user guide of
CloudWatch (alarms); the members of an alarm as localstack has recorded them against AWS. The alarm is a JSON
text inside a string; the schema describes it as if it stood there as an object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway import strict_json, timestamps
from gateway.errors import Refusal
from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.disguises import PLAIN_TEXT, as_it_is
from gateway.sources.source import Control, Disguise, Pair, Source, first, labels, mapping, origin

DETECTED: Pair = ("incident", "detected")
RESOLVED: Pair = ("incident", "resolved")
OK: Pair = ("alarm", "ok")
INSUFFICIENT_DATA: Pair = ("alarm", "insufficient_data")

TYPE_HEADER = "x-amz-sns-message-type"
TOPIC_HEADER = "x-amz-sns-topic-arn"
RAW_HEADER = "x-amz-sns-rawdelivery"
ID_HEADER = "x-amz-sns-message-id"

_ADDRESS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[!-~]*", re.ASCII)
_LONGEST = 2_048

# What SNS sends once, when an operator adds or removes the subscription.
CONTROLS = {
    "SubscriptionConfirmation": "subscription-confirmation",
    "UnsubscribeConfirmation": "unsubscribe-confirmation",
}


class CloudWatch(Source):
    """Alarms of CloudWatch through SNS."""

    name = "cloudwatch"
    title = "AWS CloudWatch alarms through SNS"
    marks = f"the header {TYPE_HEADER}, or an object with Type, TopicArn and Message"
    body_marks = ("TopicArn",)
    controls = tuple(CONTROLS.values())
    header_marks = (TYPE_HEADER,)
    headers_read = (RAW_HEADER, TOPIC_HEADER, ID_HEADER)
    disguises = (Disguise(TYPE_HEADER, PLAIN_TEXT, as_it_is),)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({DETECTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The members that SNS wraps a message in; its header is a mark already."""
        return {"Type", "TopicArn", "Message"} <= mapping(document.data).keys()

    def control(self, document: Document) -> Control | None:
        """A subscription waits until somebody opens its address. It is shown, and never opened from here."""
        data = mapping(document.data)
        kind = CONTROLS.get(str(data.get("Type")))
        return Control(self.name, kind, _told(data), asks=True) if kind else None

    def schema(self, document: Document) -> str:
        """By the way of delivery: wrapped by SNS, or raw."""
        raw = _is_raw(document)
        return f"cloudwatch/{'alarm' if raw else 'notification'}.schema.json"

    def fold(self, data: Any) -> Any:
        """Put the alarm in place of its text, so that its problems have a place too."""
        text = mapping(data).get("Message")
        return data | {"Message": _parsed(text)} if isinstance(text, str) else data

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """An alarm that clears is resolved; one that had no data before was never known to be wrong."""
        raw = _is_raw(document)
        headers, data = document.message.headers, document.data
        alarm = data if raw else _parsed(data["Message"])
        topic = headers.get(TOPIC_HEADER) if raw else data["TopicArn"]
        noun, predicate = pair = meaning(alarm)
        subject = _subject(alarm)
        time = timestamps.from_basic(alarm["StateChangeTime"])
        return self.envelope(
            document,
            id=f"{subject}:{time}:{alarm['NewStateValue']}",
            source=topic or "/cloudwatch",
            subject=Subject(noun, subject),
            predicate=predicate,
            time=time,
            origin=origin(
                document,
                schema_id,
                id=headers.get(ID_HEADER) if raw else data["MessageId"],
                type=alarm["NewStateValue"],
                source=topic,
            ),
            details=_details(alarm),
            open_ended=pair not in self.pairs(),
        )


def meaning(alarm: Mapping[str, Any]) -> Pair:
    """Give subject and predicate of a valid alarm."""
    if alarm["NewStateValue"] == "ALARM":
        return DETECTED
    if alarm["NewStateValue"] == "INSUFFICIENT_DATA":
        return INSUFFICIENT_DATA
    return RESOLVED if (alarm.get("OldStateValue") or "ALARM") == "ALARM" else OK


def _told(confirmation: Mapping[str, Any]) -> str:
    """What an operator has to do. An address that is not one of SNS is not shown: it could be anybody's."""
    topic, address = (str(confirmation.get(name, ""))[:_LONGEST] for name in ("TopicArn", "SubscribeURL"))
    if not _ADDRESS.fullmatch(address):
        return f"of the topic {topic}; its address is not one of SNS, and not shown"
    return f"to confirm this subscription to the topic {topic}, open {address}"


def _is_raw(document: Document) -> bool:
    return document.message.headers.get(RAW_HEADER, "").lower() == "true"


def _parsed(text: str) -> Any:
    """Give the document in a string, or the string when it holds none."""
    try:
        return strict_json.parse(text.encode())
    except (Refusal, UnicodeEncodeError):
        return text


def _subject(alarm: Mapping[str, Any]) -> str:
    parts = (alarm.get("AWSAccountId"), alarm.get("Region"), alarm["AlarmName"])
    name = first(alarm.get("AlarmArn")) or ":".join(text for part in parts if (text := first(part)))
    contributor = first(alarm.get("AlarmContributorId"))
    return f"{name}#{contributor}" if contributor else name


def _details(alarm: Mapping[str, Any]) -> Details:
    trigger = mapping(alarm.get("Trigger"))
    dimensions = [mapping(item) for item in trigger.get("Dimensions") or ()]
    service = first(*(item.get("value") for item in dimensions))
    account = first(alarm.get("AWSAccountId"))
    of_dimensions = ((str(item.get("name")), item.get("value")) for item in dimensions)
    own = [
        ("alarm", alarm.get("AlarmName")),
        ("region", alarm.get("Region")),
        ("namespace", trigger.get("Namespace")),
        ("metric", trigger.get("MetricName")),
    ]
    return Details(
        description=first(alarm.get("AlarmDescription"), alarm.get("NewStateReason")),
        environment=Reference(account) if account else None,
        service=Reference(service) if service else None,
        labels=labels([*of_dimensions, *own]),
    )
