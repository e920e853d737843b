"""The viewer: `/docs` shows the document in a browser, from files of a package, offline too."""

import hashlib
import importlib.util
import logging
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import falcon
import falcon.asgi

DOCS, ASSETS = "/docs", "/docs/assets"
PACKAGE = "swagger_ui"
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
"""What the viewer needs: its own files, styles it sets on its own elements, pictures in styles."""
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_CACHED = "public, max-age=3600"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>focusmate: the HTTP door</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<noscript>This page needs scripts. The document itself is <a href="/openapi.json">/openapi.json</a>,
and what goes wrong is told at <a href="/docs/problems">/docs/problems</a>.</noscript>
<div id="viewer"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_LOG = logging.getLogger("focusmate.http")


@attrs.frozen
class Asset:
    """A file as it is answered; who has it still is told so."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "Asset":
        """An asset under the tag of its content."""
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"')

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The file, or 304."""
        resp.set_header("ETag", self.etag)
        resp.set_header("Cache-Control", _CACHED)
        asked = req.get_header("If-None-Match") or ""
        if self.etag in asked or asked.strip() == "*":
            resp.status = falcon.HTTP_304
            return
        resp.data = self.content
        resp.content_type = self.media_type

    on_head = on_get


@cache
def assets() -> dict[str, Asset]:
    """The page and its files by path; none where the package is not installed."""
    package = importlib.util.find_spec(PACKAGE)
    folder = Path((package and package.origin) or "").parent / "static"
    if package is None or not all((folder / name).is_file() for name in _FILES):
        return {}
    files = {
        f"{ASSETS}/{name}": Asset.of((folder / name).read_bytes(), media)
        for name, media in _FILES.items()
    }
    return {
        DOCS: Asset.of(_PAGE.encode(), falcon.MEDIA_HTML),
        f"{ASSETS}/start.js": Asset.of(_START.encode(), "text/javascript; charset=utf-8"),
        **files,
    }


def add_viewer(app: falcon.asgi.App[Any, Any]) -> None:
    """Serve the viewer, or say why not."""
    found = assets()
    if not found:
        _LOG.warning("there is no page at %s: install the package swagger-ui-py", DOCS)
    for path, asset in found.items():
        app.add_route(path, asset)
