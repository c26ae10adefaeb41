"""The stages of a retraining, each of which is done once for equal inputs however often the process is killed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow

from ionscout.datasets.errors import BadData
from ionscout.datasets.settings import settings
from ionscout.training import registry
from ionscout.training.conductivity import train
from ionscout.training.promotion.decide import Decision, decide, judge, out_of_fold, record
from ionscout.training.promotion.gate import missing_rows
from ionscout.training.promotion.predictions import ARTIFACT, row_hash
from ionscout.training.promotion.report import GateReport
from ionscout.training.promotion.shipped import adopt_shipped
from ionscout.training.registry import CHALLENGER, CHAMPION, NotPromoted
from ionscout.training.retraining.page import html
from ionscout.training.retraining.snapshot import Snapshot, fitted_by
from ionscout.training.retraining.state import Stages, only_one, write_whole
from ionscout.training.retraining.validation import ValidationReport, validate
from ionscout.training.tracking import use_record

STAGES = ("validate", "snapshot", "fit", "gate", "decide")


@dataclass(frozen=True)
class Retraining:
    """The outcome; `folder` holds the validation report (JSON, HTML), the manifest, the gate and the decision.

    `resumed` names the stages that an earlier process had finished.
    """

    key: str
    folder: Path
    decision: Decision
    resumed: tuple[str, ...]


def retrain(
    snapshot: Snapshot,
    on_stage: Callable[[str], None] = lambda stage: None,
    on_start: Callable[[int], None] = lambda fits: None,
    on_fit: Callable[[], None] = lambda: None,
) -> Retraining:
    """Validate, fit, judge and decide; what was finished before a kill is taken over.

    A decision made earlier holds while its champion answers. Under another champion the version is judged again; where
    the one that it replaced was put back, it is not promoted a second time.

    Args:
        on_stage: told which stage begins; on_start, on_fit: as in `train`.

    Raises:
        AlreadyRunning: another retraining has the lock.
        NotPromoted: the champion was judged on rows that are not here, so that no fit could pass.
        DataUnavailable: the champion left nothing to compare with.
        BadData: the data has errors; the message says where the report is.
    """
    use_record()
    home = settings().home / "retraining"
    with only_one(home):
        adopt_shipped()
        stages = _opened(home / snapshot.key)
        if (withdrawn := _rolled_back(stages)) is not None:
            return Retraining(snapshot.key, stages.folder, withdrawn, STAGES)
        done = tuple(name for name in STAGES if stages.result(name) is not None)
        for name, work in zip(STAGES, (_validate, _manifest, _fit, _gate, _decide), strict=True):
            on_stage(name)
            if stages.result(name) is None:
                if work is _fit:
                    stages.finish(name, _fit(snapshot, stages, on_start, on_fit))
                else:
                    stages.finish(name, work(snapshot, stages))  # type: ignore[operator]
        decision = _decision(stages.result("decide"))
        return Retraining(snapshot.key, stages.folder, decision, done)


def _opened(folder: Path) -> Stages:
    """What was finished and still holds: nothing, where the version that was made is in another record than this one;
    no judgement, where another champion answers than the one that it left."""
    stages = Stages(folder)
    fit, decided = stages.result("fit"), stages.result("decide")
    if fit is not None and (fit["version"] not in registry.versions() or registry.run_of(fit["version"]) != fit["run"]):
        for name in STAGES:
            stages.forget(name)
    elif decided is not None and registry.version_of(CHAMPION) not in (_left(decided), decided["champion"]):
        stages.forget("decide")
        stages.forget("gate")
    return stages


def _left(decided: dict) -> str | None:
    """The champion that a decision left."""
    return decided["champion"] if decided["outcome"] == "refused" else decided["version"]


def _rolled_back(stages: Stages) -> Decision | None:
    """What to say where the version was promoted and the one that it replaced answers again."""
    decided, champion = stages.result("decide"), registry.version_of(CHAMPION)
    if decided is None or champion in (None, _left(decided)):
        return None
    version = decided["version"]
    words = (
        f"Version {version}, made of these inputs, was promoted and then version {champion} put back in its place. "
        f"`ionscout promote conductivity --version {version} --force REASON` lets {version} answer again; new data "
        "makes a new version."
    )
    return Decision("rolled back", version, champion, words, _decision(decided).report)


def _validate(snapshot: Snapshot, stages: Stages) -> dict:
    report = validate(snapshot.rows, _trained())
    write_whole(stages.folder / "validation.json", json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    write_whole(stages.folder / "validation.html", html(report, snapshot.key))
    _refuse(report, stages.folder)
    return {"rows": report.rows, "new": report.new, "drift": report.drift.verdict}


def _refuse(report: ValidationReport, folder: Path) -> None:
    if report.errors:
        first, more = report.errors[0], len(report.errors) - 1
        rows = f" ({', '.join(first.rows)})" if first.rows else ""
        others = f" and {more} more findings" if more else ""
        raise BadData(
            f"Nothing was trained: {first.words}{rows}{others}; see {folder / 'validation.html'}. Correct the source, "
            "or retrain with --leave-out NAME for every wrong row."
        )


def _trained() -> frozenset[str] | None:
    """Names of the rows that trained the champion, None where they are not known."""
    champion = registry.version_of(CHAMPION)
    if champion is None or registry.artifact(registry.run_of(champion), ARTIFACT) is None:
        return None
    return frozenset(out_of_fold(champion).row)


def _manifest(snapshot: Snapshot, stages: Stages) -> dict:
    """What went in, by hash and count; and who was champion, as everything is compared with that one.

    Raises:
        DataUnavailable, NotPromoted: nothing can be compared with the champion; better known now than after the fit.
    """
    champion = registry.version_of(CHAMPION)
    if champion is not None:
        _check_comparable(snapshot, champion)
    manifest = {
        "key": snapshot.key,
        "sha256": snapshot.hashes(),
        "rows": {
            "main": len(snapshot.data.main),
            "extra": len(snapshot.data.extra),
            "kept_back": len(snapshot.kept_back),
            "copies_left_out": snapshot.copies,
        },
        "left_out": snapshot.left_out,
        "description": snapshot.data.description,
        "config": snapshot.config.model_dump(mode="json"),
        "policy": snapshot.policy.model_dump(mode="json"),
        "champion": champion,
    }
    write_whole(stages.folder / "snapshot.json", json.dumps(manifest, indent=2))
    return {"champion": champion}


def _check_comparable(snapshot: Snapshot, champion: str) -> None:
    """A model is only replaced by one that knows the rows that it was judged on, so they must be here."""
    here = {row_hash(m) for m in (*snapshot.data.main, *snapshot.data.extra)}
    test = missing_rows(out_of_fold(champion), here, snapshot.policy)
    if not test.passed:
        card = json.loads(registry.artifact(registry.run_of(champion), "model_card.json") or "{}")
        raise NotPromoted(
            f"Nothing was trained, as it would be refused: {test.name}: {test.words}. The champion (version "
            f"{champion}) learned from {card.get('trained_on', 'other rows')}; here are {snapshot.data.description}. "
            "Set IONSCOUT_DATA_DIR to a folder with the champion's tables. Until then `ionscout campaign predict` puts "
            "your observations on top of the model that answers."
        )


def _fit(snapshot: Snapshot, stages: Stages, on_start: Callable[[int], None], on_fit: Callable[[], None]) -> dict:
    version = trained_version(snapshot)
    if version is None:
        train(snapshot.data, snapshot.config, None, on_start, on_fit)
        version = trained_version(snapshot)
    assert version is not None
    if registry.version_of(CHAMPION) is None:  # killed between the version and its alias
        registry.set_alias(CHAMPION, version)
    elif version not in (registry.version_of(CHAMPION), registry.version_of(CHALLENGER)):
        registry.set_alias(CHALLENGER, version)
    return {"version": version, "run": registry.run_of(version)}


def trained_version(snapshot: Snapshot) -> str | None:
    """The latest registered version made of just these rows by this configuration and code, if there is one."""
    hashes = snapshot.hashes()
    wanted = {
        "data_sha256": {"main": hashes["main"], "extra": hashes["extra"]},
        "configuration": json.loads(json.dumps(snapshot.config.model_dump())),
        **fitted_by(),
    }
    for version in reversed(registry.versions()):
        run = registry.run_of(version)
        card = json.loads(registry.artifact(run, "model_card.json") or "{}")
        if all(card.get(name) == value for name, value in wanted.items()) and registry.artifact(run, ARTIFACT):
            return version
    return None


def _gate(snapshot: Snapshot, stages: Stages) -> dict:
    version, before = stages.result("fit")["version"], stages.result("snapshot")["champion"]
    champion = registry.version_of(CHAMPION)
    if champion == version:
        if before is not None:
            return {"champion": champion, "report": None}
        champion = None  # the first of all
    report = judge(version, champion, snapshot.judged, snapshot.policy, snapshot.kept_back)
    write_whole(stages.folder / "gate.json", json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    return {"champion": champion, "report": report.as_dict()}


def _decide(snapshot: Snapshot, stages: Stages) -> dict:
    version, gate = stages.result("fit")["version"], stages.result("gate")
    if gate["report"] is None:
        words = f"Version {version}, trained on the same data, is the champion already."
        decision = Decision("unchanged", version, gate["champion"], words)
        record(decision)
    else:
        if registry.version_of(CHAMPION) not in (gate["champion"], version):  # somebody promoted in between
            stages.forget("gate")
            gate = stages.finish("gate", _gate(snapshot, stages))
        decision = decide(version, gate["champion"], GateReport.from_dict(gate["report"]))
    client = mlflow.MlflowClient()
    for name in ("validation.json", "validation.html", "snapshot.json"):
        client.log_artifact(registry.run_of(version), str(stages.folder / name), "retraining")
    write_whole(stages.folder / "decision.json", json.dumps(decision.as_dict(), indent=2, ensure_ascii=False))
    return decision.as_dict()


def _decision(values: dict) -> Decision:
    report = None if values["gate"] is None else GateReport.from_dict(values["gate"])
    return Decision(values["outcome"], values["version"], values["champion"], values["words"], report)
