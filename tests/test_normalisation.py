"""What every source event means, row by row as in section 7 of the specifications; Tracker next door."""

from __future__ import annotations

import pytest

from tests.door import STRUCTURED, Door, envelope, told
from tests.meanings import Row, assert_means, rows
from tests.samples import bound, deployed, detected, incident, provisioned, without


@rows("""
    change initiated              | change created
    change succeeded              | change merged
    change failed                 | change failed                 | custom
    change recovered              | change recovered              | custom
    ticket initiated              | ticket created
    ticket todo                   | ticket updated
    ticket inprogress             | ticket updated
    ticket readyforreview         | ticket updated
    ticket done                   | ticket closed
    commit initiated              | change created
    commit succeeded              | change merged
    commit failed                 | change abandoned
    pipeline initiated            | pipelinerun started
    pipeline succeeded            | pipelinerun finished
    pipeline failed               | pipelinerun finished
    review initiated              | review initiated              | custom
    review succeeded              | change reviewed
    review failed                 | change reviewed
    approval initiated            | approval created
    approval succeeded            | approval closed
    approval failed               | approval closed
    clone initiated               | taskrun started
    clone succeeded               | taskrun finished
    clone failed                  | taskrun finished
    lint initiated                | taskrun started
    lint warning                  | taskrun finished
    lint succeeded                | taskrun finished
    lint failed                   | taskrun finished
    build initiated               | build started
    build succeeded               | build finished
    build failed                  | build finished
    test initiated                | testsuiterun started
    test succeeded                | testsuiterun finished
    test failed                   | testsuiterun finished
    unittest initiated            | testsuiterun started
    unittest succeeded            | testsuiterun finished
    unittest failed               | testsuiterun finished
    e2e_test initiated            | testsuiterun started
    e2e_test succeeded            | testsuiterun finished
    e2e_test failed               | testsuiterun finished
    performance_test initiated    | testsuiterun started
    performance_test succeeded    | testsuiterun finished
    performance_test failed       | testsuiterun finished
    security_audit initiated      | testsuiterun started
    security_audit succeeded      | testsuiterun finished
    security_audit failed         | testsuiterun finished
    licensing_audit initiated     | testsuiterun started
    licensing_audit succeeded     | testsuiterun finished
    licensing_audit failed        | testsuiterun finished
    artifact_storage initiated    | artifact_storage initiated    | custom
    artifact_storage succeeded    | artifact published
    artifact_storage failed       | artifact_storage failed       | custom
    deployment initiated          | deployment initiated          | custom
    deployment succeeded          | service deployed
    deployment failed             | deployment failed             | custom
    deployment success            | service deployed
    deployment failure            | deployment failed             | custom
    deployment started            | deployment started            | custom
    deployment progressing        | deployment progressing        | custom
    deployment blocked            | deployment blocked            | custom
    release initiated             | release initiated             | custom
    release succeeded             | artifact published
    release failed                | release failed                | custom
    support_request opened        | ticket created
    support_request updated       | ticket updated
    support_request resolved      | ticket closed
    incident initiated            | incident detected
    incident succeeded            | incident resolved
    incident failed               | incident failed               | custom
    recovery initiated            | recovery initiated            | custom
    recovery succeeded            | incident resolved
    recovery failed               | recovery failed               | custom
""")
def test_a_ctoai_event(door: Door, row: Row) -> None:
    name, action = row.sent
    door.send(deployed(event_name=name, event_action=action.capitalize()))
    assert_means(door, row)


@rows("""
    database_backup Completed     | database_backup completed     | custom
    incident-drill started        | incident_drill started        | custom
    Tickets created               | tickets created               | custom
""")
def test_a_custom_ctoai_event_keeps_its_own_words(door: Door, row: Row) -> None:
    name, action = row.sent
    door.send(deployed(event_name=name, event_action=action))
    assert_means(door, row, topic="events.custom")


@rows("""
    instance create                    | service deployed
    instance restore                   | service deployed
    instance update                    | service upgraded
    instance update_plan               | service upgraded
    instance delete                    | service removed
    instance schedule_reclaim          | instance schedule_reclaim          | custom
    instance apply_promo_code          | instance apply_promo_code          | custom
    instance update_state              | instance update_state              | custom
    instance update_state_failure      | instance update_state_failure      | custom
    instance create_failure            | instance create_failure            | custom
    instance create_inprogress         | instance create_inprogress         | custom
    instance update_failure            | instance update_failure            | custom
    instance update_inprogress         | instance update_inprogress         | custom
    instance update_plan_failure       | instance update_plan_failure       | custom
    instance update_plan_inprogress    | instance update_plan_inprogress    | custom
    instance delete_failure            | instance delete_failure            | custom
    instance delete_inprogress         | instance delete_inprogress         | custom
    key create                         | key create                         | custom
    key create_failure                 | key create_failure                 | custom
    key delete                         | key delete                         | custom
    key delete_failure                 | key delete_failure                 | custom
    Resource_group create              | environment created
    Resource_group update              | environment modified
    Resource_group delete              | environment deleted
""")
def test_an_ibm_event(door: Door, row: Row) -> None:
    door.send(provisioned(event_type=f"resource-controller.{'.'.join(row.sent)}"))
    assert_means(door, row)


@rows("""
    instance restore_failure           | instance restore_failure           | custom
    key update                         | key update                         | custom
    Resource_group delete_failure      | resource_group delete_failure      | custom
    binding create                     | binding create                     | custom
""")
def test_an_ibm_event_that_is_not_documented_keeps_its_own_words(door: Door, row: Row) -> None:
    door.send(provisioned(event_type=f"resource-controller.{'.'.join(row.sent)}"))
    assert_means(door, row, topic="events.custom")


@rows("""
    INCIDENT OPEN        | incident detected
    INCIDENT RESOLVED    | incident resolved
    ANOMALY OPEN         | incident detected
    ANOMALY RESOLVED     | incident resolved
    ALERT OPEN           | incident detected
    ALERT RESOLVED       | incident resolved
""")
def test_an_event_of_the_incidents_service(door: Door, row: Row) -> None:
    type, status = row.sent
    door.send(incident(type=type, status=status))
    assert_means(door, row)
    assert envelope(door.published[0])["details"]["labels"]["type"] == type


@rows("""
    OPEN        | incident detected
    RESOLVED    | incident resolved
""")
def test_an_update_of_the_incidents_service(door: Door, row: Row) -> None:
    update = without(incident(status=row.sent[0]), "incidentId", "type", "category")
    door.send(update, "/events/incidents/48213", method="PATCH")
    assert_means(door, row)


@rows("""
    detected 0.1.0 version          | incident detected
    reported 0.1.0 version          | incident reported
    resolved 0.1.0 version          | incident resolved
    detected 0.2.0 version          | incident detected
    reported 0.2.0 version          | incident reported
    resolved 0.2.0 version          | incident resolved
    detected 0.3.0 specversion      | incident detected
    reported 0.3.0 specversion      | incident reported
    resolved 0.3.0 specversion      | incident resolved
""")
def test_a_cdevents_incident(door: Door, row: Row) -> None:
    predicate, version, spec_member = row.sent
    document = detected(type=f"dev.cdevents.incident.{predicate}.{version}")
    document["context"][spec_member] = document["context"].pop("specversion")
    if version != "0.3.0":
        document["subject"]["type"] = "incident"
    if predicate == "reported":
        document["subject"]["content"]["ticketURI"] = "https://tickets.example/1"
    door.send(bound(document), content_type=STRUCTURED)
    assert_means(door, row)


@rows("""
    OnCall-shift.Escalated          | oncall-shift escalated       | custom
    mytool-incident.detected        | mytool-incident detected     | custom
""")
def test_a_custom_cdevent_is_about_its_tool_and_subject(door: Door, row: Row) -> None:
    document = detected(type=f"dev.cdeventsx.{row.sent[0]}.1.0.0")
    door.send(bound(document), content_type=STRUCTURED)
    assert_means(door, row, topic="events.custom")


@pytest.mark.parametrize(
    "type", ["dev.cdevents.pipelinerun.started.0.2.0", "dev.cdevents.incident.detected.9.9.9"]
)
def test_a_cdevents_type_without_a_schema_file_is_refused(door: Door, type: str) -> None:
    answer = door.send(detected(type=type))
    assert (answer.status_code, told(answer)["type"]) == (422, "unknown-event-type")
    assert door.published == []
