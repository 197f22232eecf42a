"""Periodic jobs: registered at process start only, so a Redis that comes back empty has none (facts 4.7, 8)."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Cron:
    """Every `minutes`, or once a day at `daily` (hour, minute UTC)."""

    queue: str
    job: str
    pattern: str
    switch: str
    minutes: int = 0
    daily: tuple[int, int] = (0, 0)
    consumed: bool = True

    def next_ms(self, now: dt.datetime) -> int:
        if self.minutes:
            step = self.minutes * 60
            return (int(now.timestamp()) // step + 1) * step * 1000
        at = now.replace(hour=self.daily[0], minute=self.daily[1], second=0, microsecond=0)
        return int((at if at > now else at + dt.timedelta(days=1)).timestamp()) * 1000


CRONS = (
    Cron("event-propagation-queue", "event-propagation-job", "* * * * *", "EVENT_PROPAGATION", 1),
    Cron(
        "blobstorage-integration-queue", "blobstorage-integration-job", "*/20 * * * *", "BLOB_STORAGE_INTEGRATION", 20
    ),
    Cron("posthog-integration-queue", "posthog-integration-job", "30 * * * *", "POSTHOG_INTEGRATION", 60),
    Cron("mixpanel-integration-queue", "mixpanel-integration-job", "30 * * * *", "MIXPANEL_INTEGRATION", 60),
    Cron("data-retention-queue", "data-retention-job", "15 3 * * *", "DATA_RETENTION", daily=(3, 15)),
    Cron("dead-letter-retry-queue", "dead-letter-retry-job", "*/10 * * * *", "DEAD_LETTER_RETRY", 10, consumed=False),
    Cron("v4-legacy-api-usage-queue", "v4-legacy-api-usage-job", "*/15 * * * *", "V4_LEGACY_API_USAGE", 15),
)
