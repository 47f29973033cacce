from __future__ import annotations

import pytest

from tests.airflow_server import AirflowServer


@pytest.fixture(params=["airflow_server", pytest.param("airflow2_server", marks=pytest.mark.long)])
def airflow(request: pytest.FixtureRequest) -> AirflowServer:
    """Each Airflow that we speak with, its API running."""
    server: AirflowServer = request.getfixturevalue(request.param)
    server.start()
    return server
