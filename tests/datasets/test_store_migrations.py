"""Stores of earlier revisions become stores of today, whole or not at all."""

import shutil

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from ionscout.datasets.errors import BadData
from ionscout.datasets.observations import schema
from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.engine import open_engine, reading, store_url, writing
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.observations.tables import metadata

OLD = [
    """INSERT INTO campaigns (id, name, hosts, objectives, constraints, "temperature_K", seed, created) VALUES
    (1, 'old', '["Li7La3Zr2O12"]', '[{"name": "conductivity", "goal": "maximise", "weight": 1.0}]', '[]', 298.15, 7,
    '2026-01-02 03:04:05')""",
    """INSERT INTO suggestions (id, campaign_id, batch, rank, formula, host, mechanism, acquisition, explanation,
    conductivity, lower, upper, coverage, "temperature_K", model, version, scores, status, created) VALUES
    (1, 1, 1, 1, 'Li6.4La3Zr2Ga0.2O12', 'Li7La3Zr2O12', 'Ga on Li', 0.5, 'high', 0.001, 0.0001, 0.01, 0.9, 298.15,
    'conductivity', 'v', '{}', 'measured', '2026-01-02 03:04:05')""",
    """INSERT INTO observations (id, campaign_id, suggestion_id, batch, key, digest, formula, conductivity, value, unit,
    "temperature_K", kind, censored, failed, reason, measured_by, measured_on, source, received) VALUES
    (1, 1, 1, 1, 'k', 'd', 'Li6.4La3Zr2Ga0.2O12', 0.0013, 1.3, 'mS/cm', 298.15, 'total', false, false, '', '', '', '',
    '2026-01-03 03:04:05')""",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return str(tmp_path / "store.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def old(url):
    """A store of the first revision, with one row in each table."""
    engine = open_engine(store_url(url))
    schema.upgrade(engine, "0001")
    with writing(engine) as connection:
        for statement in OLD:
            connection.execute(sa.text(statement))
    engine.dispose()
    return url


def test_a_store_of_the_first_revision_opens_with_what_it_held(old):
    store = ObservationStore(old)
    (campaign,) = store.campaigns()
    assert (campaign.name, campaign.seed, dict(campaign.options)) == ("old", 7, {})
    assert (campaign.created.isoformat(), campaign.objectives[0].name) == ("2026-01-02T03:04:05+00:00", "conductivity")
    assert store.suggestions("old")[0].mechanism == "Ga on Li"
    assert store.observations("old")[0].conductivity == 0.0013
    if store.engine.dialect.name == "sqlite":  # PostgreSQL counts ids by itself, past none of the rows put in by hand
        assert store.observe("old", Report("Li7La3Zr2O12", 1e-4, "S/cm", key="new")).observation.id == 2


def test_migrations_make_the_tables_that_the_code_reads(url):
    store = ObservationStore(url)
    with reading(store.engine) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert schema.current(connection) == schema.head()


def test_a_store_of_a_newer_revision_is_refused(url):
    store = ObservationStore(url)
    with writing(store.engine) as connection:
        connection.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(BadData, match="newer ionscout"):
        ObservationStore(url)


def test_a_migration_that_fails_half_way_leaves_the_store_as_it_was(old, tmp_path, monkeypatch):
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    (folder / "versions" / "r0002_request_keys.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = '0002', '0001'\n"
        "def upgrade():\n    op.create_table('half', sa.Column('id', sa.Integer))\n"
        "    raise RuntimeError('power cut')\n"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    with pytest.raises(RuntimeError, match="power cut"):
        ObservationStore(old)
    monkeypatch.undo()
    engine = open_engine(store_url(old))
    assert "half" not in sa.inspect(engine).get_table_names()
    with reading(engine) as connection:
        assert schema.current(connection) == "0001"
    assert ObservationStore(old).campaign("old").seed == 7


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and no database at all\n" * 100)
    with pytest.raises(BadData, match="not an observation store"):
        ObservationStore(str(path))
    assert path.read_text().startswith("these are my notes")


def test_tables_of_other_programs_stay(tmp_path):
    path = tmp_path / "shared.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('theirs')"))
    ObservationStore(str(path))
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == ["theirs"]
