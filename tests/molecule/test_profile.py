"""ClickHouse from 26.8 on drops Langfuse's rows unless the profile says how to read its times."""

from __future__ import annotations

from tests.molecule import playbook
from tests.molecule.instance import Instance, docker
from tests.molecule.traces import Bucket, Traces, replay

SETTING = "input_format_read_datetime_number_as_raw_value"


def test_without_the_profile_setting_the_trace_does_not_arrive(faults: Instance) -> None:
    traces = Traces(faults)
    users = faults.directory / "clickhouse" / "users.xml"
    intended = users.read_text()
    assert SETTING in intended
    users.write_text("".join(line for line in intended.splitlines(True) if SETTING not in line))
    docker("restart", f"{faults.name}-clickhouse-1")
    faults.wait_healthy(["clickhouse"])

    trace_id, status = traces.send("without-profile")

    assert status == 200, "the loss is silent: web takes the trace"
    assert traces.missing("without-profile", [trace_id], 6) == {trace_id}
    assert {c.health for c in faults.containers()} == {"healthy"}, "and every health check is green"

    playbook.site(faults)

    assert users.read_text() == intended
    traces.arrives("with-profile")
    replay(faults, Bucket(faults).keys_of([trace_id]).values())
    assert traces.missing("without-profile", [trace_id], 60) == set()
