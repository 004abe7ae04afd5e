"""`lab server`: MLflow for a team, on PostgreSQL or SQLite, with passwords as soon as other machines can reach it."""

import configparser
import os
import secrets
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from lab.cli import servers
from lab.errors import LabError, install, without_password
from lab.files import atomic_write
from lab.tracking import store

FOLDER = Path("server")  # below the working directory: database, artifacts, users and the key of sign-up forms
DATABASE = "LAB_SERVER_DATABASE"
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
ADMIN = "MLFLOW_AUTH_ADMIN_USERNAME"
SHORTEST_PASSWORD = 12
# What a user may do with what others made. Experiments are shared by name, so everybody must be able to add runs.
PERMISSION = "EDIT"
PASSWORD_KNOWN = 60  # seconds for which a right password is not hashed again: it takes longer than most requests
MOST_WORKERS = 4


def serve(host: str, port: int, database: str | None, artifacts: str | None, names: Sequence[str]) -> None:
    """Replace this process by MLflow's server; raises LabError where it could not start or would stand open."""
    servers.check_address(host, port, "--port ")
    _check_names(names)
    protected = _is_protected(host)
    folder = FOLDER.absolute()
    uri = _database(database, folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    _check_database(uri)
    hosts = (*servers.host_names(host), *names)
    os.environ.update(_environment(uri, folder, protected))
    print(variables(hosts[-1] if servers.is_exposed(host) or names else host, port, uri, protected), flush=True)
    destination = artifacts or str(folder / "artifacts")
    os.execv(sys.executable, command(host, port, hosts, destination, protected))


def command(host: str, port: int, hosts: Sequence[str], artifacts: str, protected: bool) -> list[str]:
    """The command of the server; the database is not in it, since every user of the machine sees commands."""
    allowed = [f"{name}:{port}" for name in hosts] + [name for name in hosts if name not in servers.LOCAL_NAMES]
    origins = [f"{scheme}://{name}:{port}" for name in hosts for scheme in ("http", "https")]
    guard = ["--allowed-hosts", ",".join(allowed), "--cors-allowed-origins", ",".join(origins)]
    data = ["--serve-artifacts", "--artifacts-destination", artifacts]
    app = ["--app-name", "basic-auth"] if protected else []
    listen = ["--host", host, "--port", str(port), "--workers", str(min(os.cpu_count() or 1, MOST_WORKERS))]
    return [sys.executable, "-m", "mlflow", "server", *listen, *guard, *data, *app]


def variables(name: str, port: int, database: str, protected: bool) -> str:
    """What everybody in the team sets, ready to paste."""
    lines = [f"export MLFLOW_TRACKING_URI=http://{name}:{port}"]
    if protected:
        lines += [
            f"export MLFLOW_TRACKING_USERNAME={os.environ.get(ADMIN) or 'admin'}  # or your own; docs/team.md",
            "export MLFLOW_TRACKING_PASSWORD=...",
        ]
    if database.startswith("postgresql"):
        place = without_password(database).partition("://")[2].rpartition("/")[0]
        lines.append(f"export LAB_STUDY_STORAGE=postgresql://USER:PASSWORD@{place}/studies")
    return "\n".join(["# what everybody in the team sets, to record here (Ctrl-C ends the server):", *lines])


# What is checked before it starts


def _is_protected(host: str) -> bool:
    """Whether users need a password; raises LabError where they must and it cannot be had."""
    password = os.environ.get(PASSWORD, "")
    if not password and not servers.is_exposed(host):
        return False
    if not password:
        raise LabError(
            f"--host {host}: other machines could read, change and delete all runs; set {PASSWORD} to a password of "
            f"{SHORTEST_PASSWORD} characters or more, for the user '{os.environ.get(ADMIN) or 'admin'}'"
        )
    if len(password) < SHORTEST_PASSWORD:
        raise LabError(f"{PASSWORD}: {len(password)} characters are too few; use {SHORTEST_PASSWORD} or more")
    if find_spec("flask_wtf") is None:
        raise LabError(f"passwords need the package Flask-WTF: {install('server')}")
    return True


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or set(name) & set("*/: ,"):
            raise LabError(f"--name: '{name}' is not the name of a machine, such as runs.example.org; no wildcards")


def _database(given: str | None, folder: Path) -> str:
    """The database's address for MLflow, which speaks to PostgreSQL through psycopg; raises LabError."""
    uri = given or os.environ.get(DATABASE) or f"sqlite:///{folder / 'mlflow.db'}"
    scheme, separator, rest = uri.partition("://")
    if scheme.partition("+")[0] not in ("postgresql", "sqlite") or not separator:
        raise LabError(
            f"--database: '{without_password(uri)}' is not a database; write "
            "postgresql://user:password@host/name or sqlite:////path/mlflow.db"
        )
    return f"postgresql+psycopg://{rest}" if scheme == "postgresql" else uri


def _check_database(uri: str) -> None:
    """Raise LabError where the database does not answer, keeps no tables, or its driver is not installed."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

    wait = {"connect_timeout": 5} if uri.startswith("postgresql") else {}
    try:
        engine = create_engine(uri, connect_args=wait)
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # in which a table can be made and taken back
                connection.exec_driver_sql("CREATE TABLE lab_makes_tables (number integer)")
                connection.rollback()
        engine.dispose()
    except ModuleNotFoundError:
        raise LabError(f"--database: PostgreSQL needs the package psycopg: {install('server')}") from None
    except ProgrammingError as error:
        raise LabError(
            f"--database: {without_password(uri)} lets its user make no tables ({_reason(error)}); as its owner: "
            f"ALTER DATABASE {engine.url.database} OWNER TO {engine.url.username}"
        ) from None
    except SQLAlchemyError as error:
        raise LabError(f"--database: {without_password(uri)} does not answer: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What the database says, in one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:160]


def _environment(uri: str, folder: Path, protected: bool) -> dict[str, str]:
    """What MLflow reads from the environment: where the runs are, and who may see them."""
    store.quiet_mlflow()
    found = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    if protected:
        found |= {
            ADMIN: os.environ.get(ADMIN) or "admin",
            "MLFLOW_AUTH_CONFIG_PATH": str(_users(uri, folder)),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret_key(folder),
        }
    return found


def _users(uri: str, folder: Path) -> Path:
    """MLflow's settings of users: in the same PostgreSQL, so that one backup holds both, else in a file beside it."""
    place = uri if uri.startswith("postgresql") else f"sqlite:///{folder / 'users.db'}"
    settings = configparser.RawConfigParser()
    settings["mlflow"] = {
        "default_permission": PERMISSION,
        "database_uri": place.replace("%", "%%"),  # MLflow's reader takes % as the start of a variable
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": str(PASSWORD_KNOWN),
    }
    path = folder / "users.ini"
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as file:
        settings.write(file)
    return path


def _secret_key(folder: Path) -> str:
    """The key that protects sign-up forms, made at the first start: it must stay the same."""
    path = folder / "secret-key"
    if not path.exists():
        with atomic_write(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(secrets.token_hex(32), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
