# SPDX-License-Identifier: Apache-2.0
"""docs/claims.html: the claims, sorted and filtered, and every figure that judges them.

python -m experiments.claims.site

One page that asks the network for nothing; its pictures lie beside it, in
docs/evidence.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from dropout_jax.config.guard import guarded
from dropout_jax.files import write_atomically
from dropout_jax.reports.assets import asset, script_hash
from dropout_jax.reports.markup import headings, table, word_filter
from experiments import evidence
from experiments.claims import (
    FAILS,
    NOT_RUN,
    TEXTS,
    VERDICTS,
    Claim,
    changes,
    exhibit,
    read,
    tally,
)
from experiments.claims.page import COVERED, NOTHING
from experiments.claims.seen import seen

PATH = evidence.ROOT / "docs" / "claims.html"
HEADINGS = [
    "#",
    "text",
    "where",
    "it says",
    "verdict",
    "what is right",
    "shown by",
    "not shown",
]


def text(value: str) -> str:
    """Returns a text of a claim as HTML, which knows code alone of Markdown."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(value))


def shown_by(entry: str) -> str:
    """Returns an entry of `Claim.shown`: an experiment links to its figure."""
    one = exhibit(entry)
    if one.is_test:
        return f"<code>{escape(one.name)}</code>"
    if one.state == NOT_RUN:
        return f"{one.name} ({NOT_RUN})"
    fails = f" <strong>{FAILS}</strong>" if one.state else ""
    return f'<a href="#{one.name}">{one.name}</a>: {escape(one.check)}{fails}'


def seen_in(entry: str) -> str:
    """Returns an entry of `Claim.seen`: an experiment links to its figure."""
    name, what = seen(entry)
    link = f"<code>results/{escape(name)}.jsonl</code>"
    if name in evidence.experiments():
        link = f'<a href="#{name}">{name}</a>'
    return f"<em>seen</em> in {link}: {escape(what)}"


def grounds(claim: Claim) -> list[str]:
    """Returns all that stands beside a claim."""
    return [
        *map(shown_by, claim.shown),
        *map(seen_in, claim.seen),
        *map(escape, claim.sources),
    ]


def row(source: str, claim: Claim) -> str:
    """Returns the line of a claim."""
    verdict = VERDICTS[claim.verdict].name
    cells = [
        source,
        escape(claim.where),
        text(claim.says),
        f'<span class="{claim.verdict}">{verdict}</span>',
        text(claim.right),
        "<br>\n".join(grounds(claim)) or NOTHING,
        text(claim.not_shown) or COVERED,
    ]
    return (
        f'<tr id="claim-{claim.number}"><th scope="row">{claim.number}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def meanings() -> str:
    """Returns the table of what the verdicts mean."""
    rows = [
        f'<tr><th scope="row">{one.name}</th><td>{emphasis(one.means)}</td></tr>'
        for one in VERDICTS.values()
    ]
    head = headings(["verdict", "meaning"])
    return table("Verdicts", "What each says of a claim", head, rows, "checks")


def emphasis(value: str) -> str:
    """Returns a text as HTML, which knows emphasis alone of Markdown."""
    return re.sub(r"\*([^*]*)\*", r"<em>\1</em>", escape(value))


def changed() -> str:
    """Returns the table of verdicts that changed."""
    rows = [
        f'<tr><th scope="row"><a href="#claim-{one.number}">{one.number}</a></th>'
        f"<td>{was}</td><td>{now}</td><td>{text(one.why)}</td></tr>"
        for one, was, now in changes()
    ]
    head = headings(["#", "was", "is", "why"])
    return table("Changes", "By the numbers of the claims", head, rows, "checks")


def gallery_of(record: dict[str, Any]) -> str:
    """Returns an experiment: its question, its checks, its figure."""
    name, caption = record["id"], escape(record["caption"])
    checks = [
        f"<tr><td>{escape(check['name'])}: {escape(check['says'])}</td>"
        f"<td>{check['kind']}</td><td>{escape(check['found'])}</td>"
        f"<td>{escape(check['rule'])}</td><td>{check['verdict']}</td></tr>"
        for check in record["checks"]
    ]
    head = headings(["check", "kind", "found", "rule", "verdict"])
    about = "What each says, by what its data can decide"
    rules = table(f"Checks of {name}", about, head, checks, "checks")
    return (
        f'<article id="{name}" aria-labelledby="{name}-heading">\n'
        f'<h3 id="{name}-heading">{name}: {escape(record["question"])}</h3>\n'
        f"<p>{escape(record['protocol'])}</p>\n"
        f'<figure><img src="evidence/{name}.png" alt="{caption}" loading="lazy">'
        f"<figcaption>{caption}</figcaption></figure>\n"
        f"{rules}"
        f"<p><code>python -m experiments.run {name}</code> · "
        f'<a href="evidence/{name}.md">table</a></p>\n</article>'
    )


def page() -> str:
    """Returns the page."""
    rows = [row(text, claim) for text in TEXTS for claim in read(text)]
    records = [evidence.found(name) for name in evidence.experiments()]
    done = [record for record in records if record is not None]
    grid = table(
        "Claims",
        "A heading sorts; the field above leaves the claims with some words, as "
        "“wrong” or “E05”.",
        headings(HEADINGS),
        rows,
        "sortable claims",
    )
    script = asset("page_tables.js")
    return Template(Path(__file__).with_name("site.html").read_text()).substitute(
        script_hash=script_hash(script),
        script=script,
        css=asset("page.css"),
        tally=escape(tally()),
        navigation="\n".join(
            f'<li><a href="#{one["id"]}">{one["id"]}</a></li>' for one in done
        ),
        meanings=meanings(),
        claims=word_filter("claims") + grid,
        changed=changed(),
        gallery="\n".join(map(gallery_of, done)),
    )


def main(path: Path = PATH) -> None:
    """Writes the page."""
    write_atomically(path, page())


if __name__ == "__main__":
    sys.exit(guarded(main))
