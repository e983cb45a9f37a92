"""Milepost's night as a DAG of Apache Airflow 3: take in the carriers' files of the last days, then tend the lake.

A run is about `ds`, the day that has ended, and takes the days from `ds` - 3 to `ds`. Copy this file into Airflow's
folder of DAGs. Airflow needs the packages `apache-airflow-providers-apache-beam` and `apache-airflow-providers-google`
(without the latter the operator refuses to be made, whatever the runner); Milepost stays in a .venv of its own.

Read from the environment, of the DAG processor and of the workers alike:
    MILEPOST_HOME           the checkout (/srv/milepost/app)
    MILEPOST_FIRST_DAY      first day to catch up from, such as 2025-06-01; without it, runs begin with the last day
Airflow variables, read by each run:
    milepost_drop           the carriers' files (/srv/milepost/drop)
    milepost_lake           the lake (/srv/milepost/lake)
    milepost_runner         DirectRunner, or FlinkRunner
    milepost_flink_master   where Flink is, as HOST:PORT
"""

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.apache.beam.operators.beam import BeamRunPythonPipelineOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

BIN = os.environ.get("MILEPOST_HOME", "/srv/milepost/app") + "/.venv/bin"
FIRST_DAY = os.environ.get("MILEPOST_FIRST_DAY")
LAKE = "{{ var.value.get('milepost_lake', '/srv/milepost/lake') }}"

with DAG(
    dag_id="milepost_nightly",
    description="Take in the carriers' files of hub scans",
    # With intervals `ds` is the day that has ended, and not the morning after it.
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone="UTC"),
    start_date=datetime.fromisoformat(FIRST_DAY or "2025-01-01").replace(tzinfo=UTC),
    catchup=FIRST_DAY is not None,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15), "execution_timeout": timedelta(hours=4)},
    tags=["milepost"],
) as dag:
    night = BeamRunPythonPipelineOperator(
        task_id="nightly",
        # The operator runs: INTERPRETER -m pipelines.nightly --runner=… --drop=… … --labels=airflow-version=…
        py_interpreter=f"{BIN}/python",
        py_options=["-m"],
        py_file="pipelines.nightly",
        runner="{{ var.value.get('milepost_runner', 'DirectRunner') }}",
        pipeline_options={
            "drop": "{{ var.value.get('milepost_drop', '/srv/milepost/drop') }}",
            "lake": LAKE,
            "from": "{{ macros.ds_add(ds, -3) }}",
            "to": "{{ ds }}",
            # What Beam takes for none given; only the FlinkRunner reads it.
            "flink_master": "{{ var.value.get('milepost_flink_master', '[auto]') }}",
        },
        deferrable=False,
    )
    tend = BashOperator(
        task_id="maintain",
        bash_command='"$MILEPOST" maintain --lake "$LAKE"',
        env={"MILEPOST": f"{BIN}/milepost", "LAKE": LAKE},
        append_env=True,
    )
    night >> tend
