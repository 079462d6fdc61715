"""Tasks of the Celery worker that kombu_client.py starts."""

import os

from celery import Celery
from kombu import Queue

app = Celery("celery_tasks", broker=os.environ.get("CELERY_BROKER"), backend="rpc://")
app.conf.task_queues = [Queue("celery.tests", queue_arguments={"x-max-priority": 10})]
app.conf.task_default_queue = "celery.tests"
app.conf.result_expires = 60
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1


@app.task
def add(one, other):
    return one + other


@app.task(bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries
