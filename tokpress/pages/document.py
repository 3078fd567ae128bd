"""One HTML page without dependencies: body, style, script and data in one file.

The page names its own style and script by SHA-256 in a content security policy, and allows nothing else: no other script, no network. Data
is JSON inside a script element. `<`, `>` and `&` in it are escapes, so no content ends the element.
"""

import base64
import hashlib
import html
import json
from importlib.resources import files

SHELL = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tokpress">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
{scripts}</body>
</html>
"""


def escape(text: str) -> str:
    """Text as HTML, also within an attribute in quotes."""
    return html.escape(text, quote=True)


def embedded(data: object) -> str:
    """JSON in ASCII that no HTML parser takes for markup. Raises ValueError where a number is not finite.

    >>> print(embedded("</script><!--"))
    "\\u003c/script\\u003e\\u003c!--"
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page(title: str, body: str, data: object = None, script: str | None = None) -> bytes:
    """The page. title: plain text. body: HTML, whose plain text was escaped with `escape`. script: name of a script of this folder; it reads
    `data`."""
    style, scripts, policy = _resource("page.css"), "", ["default-src 'none'", "img-src data:", "base-uri 'none'"]
    policy += ["form-action 'none'", f"style-src '{_digest(style)}'"]
    if script is not None:
        code = _resource(script)
        policy.append(f"script-src '{_digest(code)}'")
        scripts = f'<script type="application/json" id="data">{embedded(data)}</script>\n<script>{code}</script>\n'
    return SHELL.format(
        policy=escape("; ".join(policy)).replace("&#x27;", "'"),
        title=escape(title),
        style=style,
        body=body,
        scripts=scripts,
    ).encode()


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
