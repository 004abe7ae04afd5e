"""A model over HTTP: MLflow's scoring server, with one line for an error, valid JSON, and this machine's requests."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.files import without_nan

if TYPE_CHECKING:
    from fastapi import FastAPI

EXAMPLE_FILE = "serving_input_example.json"  # MLflow writes it into every model's folder
NO_INPUT = "Failed to predict data"  # MLflow, on several lines: the data, then the error
OWN_ERROR = "LabError: "  # in the traceback that MLflow gives, what the encoding of the model says
MIGRATION = " IMPORTANT: The MLflow Model scoring protocol has changed"  # follows some of MLflow's errors
LONGEST = 300  # characters of an error


def app(folder: Path, names: tuple[str, ...]) -> "FastAPI":
    """MLflow's scoring server of the model in a folder, for requests to these host names only."""
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    server = scoring_server.init(mlflow.pyfunc.load_model(str(folder)))
    server.add_middleware(PlainAnswers, takes_rows="dataframe_split" in example(folder))
    server.add_middleware(OwnOrigin, names=names)
    server.add_middleware(TrustedHostMiddleware, allowed_hosts=list(names))
    return server


def example(folder: Path) -> dict[str, Any]:
    """A request that the model answers, with null for missing values."""
    text = (folder / EXAMPLE_FILE).read_text(encoding="utf-8")
    return without_nan(json.loads(text, parse_float=lambda number: float(f"{float(number):.7g}")))  # as float32 holds


class OwnOrigin:
    """Refuses requests that a browser sends for a page of another origin."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]):
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to another origin."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is not None and origin.partition("://")[2].rpartition(":")[0] not in self.names:
            await JSONResponse({"error": f"requests from pages of {origin} are refused"}, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class PlainAnswers:
    """Gives rows in CSV on as text, so that 001 stays a code; answers in valid JSON, and an error in one line."""

    def __init__(self, app: ASGIApp, takes_rows: bool):
        self.app = app
        self.takes_rows = takes_rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != "/invocations":
            await self.app(scope, receive, send)
            return
        answer = Answer()
        if self.takes_rows and Headers(scope=scope).get("content-type", "").startswith("text/csv"):
            try:
                scope, receive = await _as_json(scope, receive)
            except ValueError as error:
                message = f"the CSV cannot be read: {str(error).splitlines()[0][:LONGEST]}"
                await JSONResponse({"error": message}, 400)(scope, receive, send)
                return
        await self.app(scope, receive, answer.collect)
        await answer.response()(scope, receive, send)


class Answer:
    """The status and the body of a response, collected."""

    def __init__(self) -> None:
        self.status = 500
        self.body = b""

    async def collect(self, message: Message) -> None:
        """Take a part of the response."""
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    def response(self) -> JSONResponse:
        """The same as valid JSON; what MLflow calls an internal error is one of the request."""
        try:
            content = json.loads(self.body)
        except ValueError:
            content = {"message": self.body.decode(errors="replace")}
        if self.status < 400:
            return JSONResponse(without_nan(content))
        return JSONResponse({"error": one_line(content)}, 400 if self.status == 500 else self.status)


def one_line(error: Any) -> str:
    """What MLflow's error says about the request: the message of the encoding, where it is the encoding's."""
    if not isinstance(error, Mapping) or not ({"message", "detail"} & error.keys()):
        return "the request cannot be answered"
    trace = str(error.get("stack_trace") or "").strip()
    if OWN_ERROR in trace:
        return "; ".join(line.strip() for line in trace.rpartition(OWN_ERROR)[2].splitlines() if line.strip())
    message = str(error.get("message") or error.get("detail")).strip()
    lines = (message.rpartition("Error: ")[2] if message.startswith(NO_INPUT) else message).splitlines()
    if trace and lines[0].startswith("Encountered an unexpected error"):
        lines = [f"the model cannot take this input: {trace.splitlines()[-1]}"]
    return lines[0].partition(MIGRATION)[0][:LONGEST] if lines else "the request cannot be answered"


async def _as_json(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """A request of CSV as one of JSON, each cell as it is written; raises ValueError for what is no CSV."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    rows = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)
    content = json.dumps({"dataframe_records": rows.to_dict(orient="records")}).encode()
    others = [(name, value) for name, value in scope["headers"] if name not in (b"content-type", b"content-length")]
    headers = [*others, (b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]

    async def given() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return {**scope, "headers": headers}, given
