"""`manage.py run_relay`: delivers triggers to Airflow and records what became of the runs."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from backend.airflow_client.client import AirflowClient
from backend.forecasts import schedule
from backend.runs.beat import DELIVER, RECONCILE, beat
from backend.runs.delivery import deliver_due
from backend.runs.reconciler import POLL_BUSY, POLL_IDLE, reconcile
from backend.runs.services import CHANNEL
from supplyline import settings as supplyline_settings
from supplyline.errors import SupplylineError

log = logging.getLogger(__name__)

AFTER_TROUBLE_S = 2.0
AT_A_TIME = 5
"""Runs of one round of deliveries: each may wait for an Airflow that hangs."""
_AWAY = (DatabaseError, psycopg.Error)
"""Django's errors, and those of waiting for a notice, where Django has no part."""


class Command(BaseCommand):
    help = (
        "Delivers accepted triggers to Airflow, starts scheduled forecasts and keeps the record of "
        "runs. Runs until it is stopped; two at once are harmless. Example: manage.py run_relay"
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        stop, news = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        settings = supplyline_settings.get()
        looking = threading.Thread(target=_reconcile_forever, args=(stop, news), daemon=True)
        looking.start()
        with AirflowClient.of(settings) as client:
            while not stop.is_set():
                try:
                    _listen_and_deliver(client, stop, news)
                except _AWAY as error:
                    log.warning("control database away", extra={"error": type(error).__name__})
                    connection.close()
                    stop.wait(1.0)
        stop.set()
        news.set()
        looking.join(timeout=5)


def _listen_and_deliver(
    client: AirflowClient, stop: threading.Event, news: threading.Event
) -> None:
    """Delivers at once when an intent commits (NOTIFY); looks for due retries twice a second.
    `news`: set when there is a run to look after."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    while not stop.is_set():
        beat(DELIVER)
        while deliver_due(client, now=timezone.now(), limit=AT_A_TIME):
            news.set()
            beat(DELIVER)
        raw: Any = connection.connection
        for _ in raw.notifies(timeout=0.5, stop_after=1):
            break


def _reconcile_forever(stop: threading.Event, news: threading.Event) -> None:
    settings, deep = supplyline_settings.get(), True  # after an absence, look back further
    with AirflowClient.of(settings) as client:
        while not stop.is_set():
            began, wait, told = time.monotonic(), AFTER_TROUBLE_S, False
            with _survived("cannot start what is due"):
                close_old_connections()
                schedule.start_due(settings=settings, now=timezone.now())
            with _survived("cannot reconcile"):
                left = reconcile(client, settings=settings, now=timezone.now(), deep=deep)
                wait, told = (POLL_BUSY if left else POLL_IDLE).total_seconds(), True
            with _survived("cannot say that it is at work"):
                beat(RECONCILE)
            deep = not told
            # never busier than half the time, however slow Airflow answers
            least = max(POLL_BUSY.total_seconds(), time.monotonic() - began)
            stop.wait(least)
            news.wait(max(0.0, wait - least))
            news.clear()


@contextmanager
def _survived(what: str) -> Iterator[None]:
    """Whatever goes wrong, the next round comes; nothing else looks after the runs."""
    try:
        yield
    except SupplylineError as error:
        log.warning(what, extra={"code": error.code})
    except _AWAY as error:
        log.warning("control database away", extra={"error": type(error).__name__})
        connection.close()
    except Exception:  # a fault of ours
        log.exception(what)
