"""Client, supervisor and worker as the three processes that they are."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from strongroom.client import Model, TopK
from strongroom.client import open as open_client
from strongroom.errors import (
    LicenseDenied,
    NoMatchingKey,
    ObjectNotFound,
    UnsupportedError,
    UsageError,
    WorkerLost,
)
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.terms import Output, OutputKind, Predictions, Purpose, Rights
from strongroom.package.reader import PackageReader
from strongroom.storage.local import LocalSource
from tests.integration.parties import PASSPHRASE, Parties
from tests.integration.programs import ClientProgram, children_of, is_running, processes_of, wait_until

Make = Callable[..., Parties]

FRAME = load_breast_cancer(as_frame=True).data.iloc[:, :6]
DIAGNOSIS = np.where(load_breast_cancer().target == 0, "malignant", "benign")
MODEL = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=8, random_state=0)).fit(
    FRAME, DIAGNOSIS
)
ROWS = FRAME.head(2).to_numpy().tolist()


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    # Converted: a worker without scikit-learn starts in a third of the time.
    return Parties.make(tmp_path_factory.mktemp("parties"), MODEL, sample=FRAME.head(20), convert="onnx")


@pytest.fixture(scope="module")
def shared(parties: Parties) -> Iterator[Model]:
    with parties.open() as model:
        yield model


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*terms: Any, **options: Any) -> Parties:
        return Parties.make(tmp_path, MODEL, sample=FRAME.head(20), convert="onnx", terms=terms, **options)

    return make


class TestAnswers:
    def test_are_those_of_scikit_learn_bit_for_bit(self, tmp_path: Path) -> None:
        with Parties.make(tmp_path, MODEL, sample=FRAME.head(20)).open() as model:
            for method in ("predict_proba", "decision_function"):
                answer = getattr(model, method)(FRAME.to_numpy())
                assert np.array_equal(answer, getattr(MODEL, method)(FRAME))
            assert model.predict(FRAME).tolist() == MODEL.predict(FRAME).tolist()
            with pytest.raises(UsageError) as caught:
                model.predict(FRAME.assign(**{"mean area": np.nan}))
            assert caught.value.code == "input-refused"

    def test_come_in_the_kind_that_was_passed(self, shared: Model) -> None:
        expected = MODEL.predict(FRAME).tolist()
        frame = FRAME.set_axis([f"patient-{row}" for row in range(len(FRAME))])
        series = shared.predict(frame[reversed(frame.columns)])
        assert isinstance(series, pd.Series)
        assert list(series.index) == list(frame.index)
        assert series.tolist() == expected
        probabilities = shared.predict_proba(frame)
        assert list(probabilities.columns) == ["benign", "malignant"]
        assert probabilities.index.equals(frame.index)
        assert shared.predict(pl.from_pandas(FRAME)).to_list() == expected
        assert shared.predict(pa.Table.from_pandas(FRAME, preserve_index=False)).to_pylist() == expected
        assert shared.predict(FRAME.to_dict("records")) == expected
        assert shared.predict(FRAME.to_numpy().tolist()) == expected
        assert shared.predict(FRAME.to_dict("list")).tolist() == expected

    def test_of_a_converted_model_equal_onnxruntime_bit_for_bit(
        self, parties: Parties, shared: Model, tmp_path: Path
    ) -> None:
        (graph,) = (file for file in _plain_files(parties, tmp_path / "plain") if file.suffix == ".onnx")
        session = onnxruntime.InferenceSession(graph.read_bytes(), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        plain_labels, plain = session.run(None, {name: FRAME.to_numpy(dtype=np.float32)})
        assert np.array_equal(shared.predict_proba(FRAME).to_numpy(), plain)
        assert shared.predict(FRAME).tolist() == list(plain_labels)

    def test_of_a_pipeline_on_columns(self, tmp_path: Path) -> None:
        frame = FRAME.iloc[:, :2].assign(ward=["north", "south"] * (len(FRAME) // 2) + ["north"])
        steps = make_column_transformer(
            (StandardScaler(), list(frame.columns[:2])), (OneHotEncoder(), ["ward"])
        )
        pipeline = make_pipeline(steps, GradientBoostingRegressor(n_estimators=4, random_state=0)).fit(
            frame, FRAME.iloc[:, 3]
        )
        with Parties.make(tmp_path, pipeline, sample=frame.head(20)).open() as model:
            assert model.info.columns == ("mean radius", "mean texture", "ward")
            assert model.info.classes == ()
            assert np.array_equal(model.predict(frame), pipeline.predict(frame))
            assert model.predict(frame.to_dict("records")) == pipeline.predict(frame).tolist()
            with pytest.raises(UsageError, match="'ward'"):
                model.predict(frame.drop(columns="ward"))
            with pytest.raises(UnsupportedError):
                model.predict_proba(frame)

    def test_to_threads_do_not_mix(self, shared: Model) -> None:
        expected = shared.predict_proba(FRAME.to_numpy())

        def ask(row: int) -> bool:
            answer = shared.predict_proba(FRAME.iloc[row : row + 1].to_numpy())
            return np.allclose(answer, expected[row : row + 1], rtol=1e-6)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(200)))

    def test_come_to_an_event_loop(self, shared: Model) -> None:
        async def ask_all() -> list[Any]:
            return await asyncio.gather(
                *(asyncio.to_thread(shared.predict, FRAME.iloc[row : row + 1]) for row in range(20))
            )

        assert [answer.iloc[0] for answer in asyncio.run(ask_all())] == MODEL.predict(FRAME.head(20)).tolist()

    def test_a_bad_request_is_refused_and_the_next_is_answered(self, shared: Model) -> None:
        for data in (
            FRAME.iloc[:, :2],
            FRAME.assign(ward="north"),
            np.zeros((2, 3)),
            FRAME.assign(**{"mean radius": "x"}),
        ):
            with pytest.raises(UsageError):
                shared.predict(data)
        with pytest.raises(UnsupportedError):
            shared.transform(FRAME)
        assert len(shared.predict(FRAME)) == len(FRAME)


class TestInfo:
    def test_says_what_was_opened(self, parties: Parties, shared: Model) -> None:
        info = shared.info
        assert (info.name, info.version, info.owner, info.level) == ("risk", "1.0.0", "hospital", "local")
        assert info.owner_id == parties.hospital.vault.owner_id
        assert info.license == parties.granted.license_id
        assert info.expires == parties.granted.not_after
        assert info.remaining is None
        assert info.columns == tuple(FRAME.columns)
        assert info.classes == ("benign", "malignant")
        assert set(info.methods) >= {"predict", "predict_proba"}
        assert [field.shape for field in info.inputs] == [[-1, 6]]

    def test_shows_in_a_notebook_and_at_a_prompt(self, shared: Model) -> None:
        assert repr(shared).startswith("Model('risk', version='1.0.0', owner='hospital'")
        page = shared._repr_html_()
        assert "<caption>risk 1.0.0</caption>" in page
        assert "not counted" in page


class TestEnds:
    def test_with_the_block(self, parties: Parties) -> None:
        with parties.open() as model:
            processes = processes_of(model)
            assert all(map(is_running, processes))
        assert not any(map(is_running, processes))
        assert model.closed
        assert "closed" in repr(model)
        with pytest.raises(WorkerLost) as caught:
            model.predict(FRAME)
        assert caught.value.code == "model-closed"
        model.close()

    def test_when_nobody_holds_the_model_any_more(self, parties: Parties) -> None:
        model = parties.open()
        processes = processes_of(model)
        del model
        gc.collect()
        assert not any(map(is_running, processes))

    def test_when_the_client_is_killed(self, parties: Parties) -> None:
        with ClientProgram(parties, "time.sleep(600)", rows=ROWS) as client:
            client.process.kill()
            wait_until(lambda: not any(map(is_running, client.processes)))

    def test_when_the_client_is_killed_though_its_child_lives_on(self, parties: Parties) -> None:
        program = """
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                time.sleep(600)
            time.sleep(600)
        """
        with ClientProgram(parties, program, rows=ROWS) as client:
            child = int(client.line())
            client.process.kill()
            wait_until(lambda: not any(map(is_running, client.processes)))
            os.kill(child, signal.SIGKILL)

    def test_the_worker_when_the_supervisor_is_killed(self, parties: Parties) -> None:
        model = parties.open()
        supervisor, worker = processes_of(model)
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: not is_running(worker))
        with pytest.raises(WorkerLost):
            model.predict(FRAME)
        model.close()

    def test_not_with_the_thread_that_opened_it(self, parties: Parties) -> None:
        opened: list[Model] = []
        thread = threading.Thread(target=lambda: opened.append(parties.open()))
        thread.start()
        thread.join()
        time.sleep(0.2)
        assert len(opened[0].predict(FRAME)) == len(FRAME)
        opened[0].close()

    def test_while_another_thread_waits_for_an_answer(self, parties: Parties) -> None:
        model = parties.open()
        supervisor, _ = processes_of(model)
        os.kill(supervisor, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(model.predict, FRAME)
            time.sleep(0.2)
            model._runtime.end(wait_seconds=0)
            assert isinstance(waiting.exception(timeout=30), WorkerLost)
        model.close()


class TestFailures:
    def test_a_killed_worker_is_told_at_once(self, parties: Parties) -> None:
        with parties.open() as model:
            _, worker = processes_of(model)
            os.kill(worker, signal.SIGSTOP)
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(model.predict, FRAME)
                time.sleep(0.2)
                assert not waiting.done()
                os.kill(worker, signal.SIGKILL)
                error = waiting.exception(timeout=30)
            assert isinstance(error, WorkerLost)
            assert error.code == "worker-restarted"
            assert len(model.predict(FRAME)) == len(FRAME)
            # Once, and not for ever: what ends two workers ends the third.
            os.kill(processes_of(model)[1], signal.SIGKILL)
            with pytest.raises(WorkerLost) as caught:
                model.predict(FRAME)
            assert caught.value.hint == "open the model again"
        assert len(parties.open().predict(FRAME)) == len(FRAME)

    def test_a_child_of_a_fork_is_told_to_open_its_own(self, parties: Parties) -> None:
        program = """
            child = os.fork()
            if child == 0:
                try:
                    model.predict(rows)
                except strongroom.errors.UsageError as error:
                    print(error.code, flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            print(len(model.predict(rows)), flush=True)
        """
        with ClientProgram(parties, program, rows=ROWS) as client:
            assert client.output() == ["model-after-fork", "2"]

    def test_an_interrupted_call_closes_the_model(self, parties: Parties) -> None:
        # Where nobody sits at a terminal, as in a job of cron, programs are started without it.
        program = """
            signal.signal(signal.SIGINT, signal.default_int_handler)
            supervisor = model._runtime.process_id
            os.kill(supervisor, signal.SIGSTOP)
            threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            try:
                model.predict(rows)
            except KeyboardInterrupt:
                print("interrupted", flush=True)
            try:
                model.predict(rows)
            except strongroom.errors.WorkerLost as error:
                print(error.code, flush=True)
        """
        with ClientProgram(parties, program, rows=ROWS) as client:
            assert client.output() == ["interrupted", "model-closed"]
            assert not any(map(is_running, client.processes))

    def test_loading_that_takes_too_long_is_given_up(self, parties: Parties) -> None:
        before = set(children_of(os.getpid()))
        with pytest.raises(WorkerLost) as caught:
            parties.open(timeout_seconds=0.01)
        assert caught.value.code == "start-timeout"
        wait_until(lambda: set(children_of(os.getpid())) <= before)

    def test_a_runtime_that_does_not_start_says_why(
        self, parties: Parties, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fake = tmp_path / "python"
        fake.write_text("#!/bin/sh\necho No module named strongroom >&2\nexit 1\n", encoding="ascii")
        fake.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(fake))
        with pytest.raises(WorkerLost, match="No module named strongroom") as caught:
            parties.open()
        assert caught.value.code == "start-failed"
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
        with pytest.raises(WorkerLost, match="cannot be started") as caught:
            parties.open()
        assert caught.value.code == "start-failed"

    def test_what_is_not_here_is_not_found(self, parties: Parties, tmp_path: Path) -> None:
        with pytest.raises(ObjectNotFound):
            parties.open("sepsis")
        with pytest.raises(ObjectNotFound) as caught:
            open_client("risk", home=tmp_path / "nobody")
        assert caught.value.code == "no-home"

    @pytest.mark.parametrize("right", [Right.MODIFY, Right.SUBLICENSE])
    def test_rights_that_open_nothing_are_refused(self, parties: Parties, right: Right) -> None:
        with pytest.raises(UnsupportedError):
            parties.open(right=right)

    def test_a_right_that_is_not_granted_opens_nothing(self, parties: Parties) -> None:
        for right in (Right.EVALUATE, Right.EXPORT, Right.EXPLAIN):
            with pytest.raises(LicenseDenied) as caught:
                parties.open(right=right)
            assert caught.value.code == "right-not-granted"


class TestLicense:
    def test_a_budget_stops_at_the_exact_row_over_sessions_and_kills(self, make: Make) -> None:
        parties = make(Predictions(limit=10, per=Period.TOTAL))
        with parties.open() as model:
            assert model.info.remaining == 10
            model.predict(FRAME.head(4))
            assert model.info.remaining == 6
        model = parties.open()
        model.predict(FRAME.head(3))
        for process in processes_of(model):
            os.kill(process, signal.SIGKILL)
        model.close()
        with parties.open() as model:
            assert model.info.remaining == 3
            with pytest.raises(LicenseDenied) as caught:
                model.predict(FRAME.head(4))
            assert caught.value.code == "predictions-used-up"
            assert "7 of 10" in str(caught.value)
            model.predict(FRAME.head(3))
            assert model.info.remaining == 0
        with pytest.raises(LicenseDenied), parties.open() as model:
            model.predict(FRAME.head(1))

    def test_two_processes_never_serve_more_than_the_budget(self, make: Make) -> None:
        parties = make(Predictions(limit=300, per=Period.TOTAL))
        served = 0
        with parties.open() as one, parties.open() as other:
            for model in [one, other] * 100:
                try:
                    model.predict(FRAME.head(2))
                    served += 2
                except LicenseDenied:
                    continue
        assert served == 300

    def test_a_terminated_supervisor_gives_back_its_block(self, make: Make) -> None:
        parties = make(Predictions(limit=1000, per=Period.TOTAL))
        model = parties.open()
        model.predict(FRAME.head(1))
        supervisor, _ = processes_of(model)
        os.kill(supervisor, signal.SIGTERM)
        wait_until(lambda: not is_running(supervisor))
        model.close()
        with parties.open() as again:
            assert again.info.remaining == 999

    def test_the_best_classes_come_as_labels_and_scores(self, make: Make) -> None:
        with make(Output(policy=OutputKind.TOP_K, k=1)).open() as model:
            answer = model.predict_proba(FRAME)
            assert isinstance(answer, TopK)
            assert answer.labels["rank_1"].tolist() == MODEL.predict(FRAME).tolist()
            assert answer.scores.index.equals(FRAME.index)

    def test_the_purpose_is_stated_with_the_opening(self, make: Make) -> None:
        parties = make(Purpose(purposes=("triage",)))
        with pytest.raises(LicenseDenied) as caught:
            parties.open()
        assert caught.value.code == "purpose-missing"
        with parties.open(purpose="triage") as model:
            assert len(model.predict(FRAME)) == len(FRAME)

    def test_a_license_can_be_named(self, parties: Parties) -> None:
        with parties.open(license=parties.granted.license_id) as model:
            assert model.info.license == parties.granted.license_id
        with pytest.raises(ObjectNotFound):
            parties.open(license="lic-" + "a" * 24)

    def test_evaluation_is_a_right_of_its_own(self, make: Make) -> None:
        parties = make(Rights(rights=(Right.EVALUATE,)))
        with parties.open(right=Right.EVALUATE) as model:
            assert len(model.predict(FRAME)) == len(FRAME)
        with pytest.raises(LicenseDenied):
            parties.open()


class TestPassphrases:
    def test_a_pass_phrase_opens_a_pass_phrase_file(self, make: Make) -> None:
        parties = make(passphrase=PASSPHRASE)
        with parties.open(passphrase=PASSPHRASE) as model:
            assert len(model.predict(FRAME)) == len(FRAME)
        for wrong, code in ((None, "passphrase-required"), ("four wards south 1891", "passphrase-wrong")):
            with pytest.raises(NoMatchingKey) as caught:
                parties.open(passphrase=wrong)
            assert caught.value.code == code

    def test_a_home_under_a_pass_phrase_needs_it_for_its_keys(self, make: Make) -> None:
        parties = make(key_passphrase=PASSPHRASE)
        with parties.open(key_passphrase=PASSPHRASE) as model:
            assert len(model.predict(FRAME)) == len(FRAME)
        with pytest.raises(NoMatchingKey):
            parties.open()
        with pytest.raises(NoMatchingKey):
            parties.open(key_passphrase="four wards south 1891")

    def test_the_environment_names_them_too(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        parties = make(passphrase=PASSPHRASE)
        monkeypatch.setenv("STRONGROOM_LICENSE_PASSPHRASE", PASSPHRASE)
        with parties.open() as model:
            for process in processes_of(model):
                assert PASSPHRASE.encode() not in Path(f"/proc/{process}/environ").read_bytes()

    @pytest.mark.parametrize("passphrase", ["", "x" * 1025])
    def test_an_impossible_pass_phrase_is_refused_before_anything_starts(
        self, parties: Parties, passphrase: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            parties.open(passphrase=passphrase)
        assert caught.value.code == "passphrase-size"


def _plain_files(parties: Parties, folder: Path) -> list[Path]:
    """Decrypt the package at its owner, who has the key."""
    folder.mkdir()
    with LocalSource(parties.granted.package_path) as source:
        digest = parties.hospital.vault.seals.find("risk").package_digest
        reader = PackageReader.open_pinned(source, package_digest=digest)
        key = parties.hospital.vault.content_keys.load(
            reader.statement.package_id, parties.hospital.keys.key_provider()
        )
        package = reader.unlock(key)
        for file in package.contents.files:
            (folder / file.name).write_bytes(package.read(file.name))
    return list(folder.iterdir())
