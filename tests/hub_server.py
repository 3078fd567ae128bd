"""A server of the Hugging Face Hub on loopback: the few calls that huggingface_hub makes to fetch, push and search models."""

import base64
import hashlib
import http.server
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.http_server import running

Files = Mapping[str, bytes]


class Repositories:
    """Models by "user/name". truncated: name of a file whose download ends early. requests: "METHOD path" of each call."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, Files]] = {}
        self.branches: dict[str, str] = {}
        self.truncated = ""
        self.requests: list[str] = []

    def commit(self, name: str, files: Files) -> str:
        """Move the main branch of a repository to these files. Returns the commit."""
        sha = hashlib.sha1(repr((name, self.branches.get(name), sorted(files.items()))).encode()).hexdigest()
        self.commits.setdefault(name, {})[sha] = files
        self.branches[name] = sha
        return sha

    def resolve(self, name: str, revision: str) -> str | None:
        """The commit of a branch or a (short) hash."""
        if revision == "main":
            return self.branches.get(name)
        return next((sha for sha in self.commits.get(name, {}) if sha.startswith(revision)), None)

    def fetched(self) -> set[str]:
        """Names of the files that were downloaded."""
        return {each.rpartition("/")[2] for each in self.requests if each.startswith("GET") and "/resolve/" in each}


class _Handler(http.server.BaseHTTPRequestHandler):
    repositories: Repositories

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url, ours = urlsplit(self.path), self.repositories
        ours.requests.append(f"{self.command} {url.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/api/models":
            self._send(200, self._found(parse_qs(url.query)["filter"][0]))
        elif url.path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or 'user'}/{wanted['name']}"
            ours.commits.setdefault(name, {})
            self._send(200, {"url": f"{self._address()}/{name}", "name": name})
        elif url.path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif match := re.fullmatch(r"/api/models/(\w+/[\w.-]+)/(revision|tree|preupload|commit)/([^/]+)", url.path):
            self._model(*match.groups(), body)
        elif match := re.fullmatch(r"/(\w+/[\w.-]+)/resolve/([^/]+)/(.+)", url.path):
            self._file(*match.groups())
        else:
            self._send(404, {"error": "no such call"})

    def _address(self) -> str:
        return "http://{}:{}".format(*self.server.server_address[:2])

    def _found(self, tag: str) -> list[dict]:
        cards = {
            name: files[sha].get("README.md", b"")
            for name, sha in self.repositories.branches.items()
            if (files := self.repositories.commits[name])
        }
        return [
            {"id": name, "modelId": name, "tags": [tag]}
            for name, card in cards.items()
            if f"- {tag}\n".encode() in card
        ]

    def _model(self, name: str, call: str, revision: str, body: bytes) -> None:
        ours = self.repositories
        if name not in ours.commits:
            self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif call == "preupload":
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for each in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
        elif call == "commit":
            entries = [json.loads(line) for line in body.splitlines()]
            sent = {
                each["value"]["path"]: base64.b64decode(each["value"]["content"])
                for each in entries
                if each["key"] == "file"
            }
            sha = ours.commit(name, {**ours.commits[name].get(ours.branches.get(name, ""), {}), **sent})
            self._send(200, {"commitUrl": f"{self._address()}/{name}/commit/{sha}", "commitOid": sha, "success": True})
        elif (sha := ours.resolve(name, revision)) is None:
            self._send(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        elif call == "revision":
            self._send(
                200,
                {
                    "id": name,
                    "modelId": name,
                    "sha": sha,
                    "siblings": [{"rfilename": each} for each in ours.commits[name][sha]],
                },
            )
        else:
            files = ours.commits[name][sha].items()
            self._send(
                200, [{"type": "file", "path": path, "size": len(data), "oid": _oid(data)} for path, data in files]
            )

    def _file(self, name: str, revision: str, path: str) -> None:
        sha = self.repositories.resolve(name, revision)
        data = self.repositories.commits.get(name, {}).get(sha or "", {}).get(path)
        if sha is None or data is None:
            missing = (
                "RepoNotFound"
                if name not in self.repositories.commits
                else "EntryNotFound"
                if sha
                else "RevisionNotFound"
            )
            self._send(404, {"error": missing}, {"X-Error-Code": missing})
            return
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": sha, "Content-Length": str(len(data))}
        if path == self.repositories.truncated:
            data = data[: len(data) // 2]
            self.close_connection = True
        self._send(200, data, headers)

    def _send(self, status: int, answer: object, headers: Mapping[str, str] = {}) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(data))} | dict(headers)).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def serving(repositories: Repositories) -> Iterator[str]:
    """The address of the server, for HF_ENDPOINT."""
    handler = type("Handler", (_Handler,), {"repositories": repositories})
    with running(handler) as address:
        yield address
