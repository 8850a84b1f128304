# SPDX-License-Identifier: Apache-2.0
"""The page by its markup: self-contained, escaped, semantic."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import plotly.graph_objects
import pytest

from dropout_jax.reports import load_study, tabulate, verdict
from dropout_jax.reports.figures import figures
from dropout_jax.reports.page import page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Markup(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open, "elements left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open:
            self.texts.append((self._open[-1], data))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, tag):
        return [data for name, data in self.texts if name == tag]


@pytest.fixture(scope="module")
def built(ledger, trial):
    arms = ("none", "dropout", HOSTILE)
    lines = [trial(arm, seed) for arm in arms for seed in range(3)]
    for line in lines:
        line["config"]["plugin"] = HOSTILE
        line["versions"][HOSTILE] = line["device"] = HOSTILE
    study = load_study(ledger(lines))
    table = tabulate(study)
    text = page(
        study,
        table,
        figures(study, table),
        title=HOSTILE,
        notes=[HOSTILE, "Noise slows a small network down."],
        command=f"make compare\necho {HOSTILE}",
        downloads={"table.csv": HOSTILE.encode()},
    )
    return table, text, Markup(text)


def test_nothing_is_fetched(built):
    _, _, markup = built
    loading = {"src", "href", "action", "srcset", "poster", "data", "formaction"}
    for tag, attributes in markup.elements:
        for name in attributes.keys() & loading:
            # A link may hand out a file that the page holds, and nothing else.
            link = tag == "a" and "download" not in attributes
            inside = "#" if link else "data:"
            assert attributes[name].startswith(inside), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert {tag for tag, _ in markup.elements}.isdisjoint(
        {"iframe", "object", "embed", "base", "form", "audio", "video", "source"}
    )
    style = "".join(markup.text("style"))
    assert "url(" not in style and "@import" not in style
    policy = markup.all("meta")[1]["content"]
    assert "default-src 'none'" in policy and "http" not in policy


def test_only_the_two_scripts_of_the_page_may_run(built):
    _, text, markup = built
    policy = markup.all("meta")[1]["content"]
    # Plotly waits as text for the page's script to run it.
    plotly = re.findall(
        r'type="text/plain" id="plotly">(.*?)</script>', text, flags=re.S
    )
    scripts = plotly + re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert len(scripts) == 2 and len(scripts[0]) > 1_000_000  # plotly, once
    assert re.search(r"script-src ([^;]*);", policy).group(1).split() == hashes
    kinds = [attributes.get("type") for attributes in markup.all("script")]
    assert kinds == ["application/json"] * 7 + ["text/plain", None]


def test_everything_from_users_is_text(built):
    _, text, markup = built
    assert "<script>alert" not in text and "<img src=x" not in text
    assert len(markup.all("img")) == 5  # the embedded figures
    assert HOSTILE in "".join(markup.text("title"))
    for place in ("h1", "th", "p", "code", "td"):
        assert any("onerror" in data for data in markup.text(place)), place


def test_charts_are_valid_and_escape_what_plotly_would_read_as_markup(built):
    _, _, markup = built
    texts = markup.text("script")[:6]
    assert not any("<" in data for data in texts)  # nothing can close the element
    blocks = [json.loads(data) for data in texts]
    for block in blocks:
        figure = plotly.graph_objects.Figure(block)  # raises on unknown properties
        assert len(figure.data) > 0
        assert "<img" not in json.dumps(block) and "<script" not in json.dumps(block)
    names = {trace["name"] for trace in blocks[0]["data"]}
    assert names >= {"none", "dropout"} and any("&lt;img" in name for name in names)


def test_sections_come_in_order_with_the_answer_first(built):
    table, _, markup = built
    anchors = [attributes["id"] for attributes in markup.all("section")]
    assert (
        anchors
        == ("answer table figures why runs configurations reproduce downloads").split()
    )
    links = [a["href"][1:] for a in markup.all("a") if "href" in a]
    links = [link for link in links if link in anchors]
    assert links == ["answer", *anchors]
    for attributes in markup.all("section"):
        assert attributes["aria-labelledby"] == f"{attributes['id']}-heading"
    said = "".join(markup.text("strong")) + next(
        data for data in markup.text("p") if data.startswith(" Described")
    )
    assert said == verdict(table)


def test_tables_have_semantic_headers_and_scroll_by_keyboard(built):
    table, text, markup = built
    first = text[text.index('<table class="sortable">') : text.index("</table>")]
    assert first.count('<th scope="col">') == 5
    assert first.count('<th scope="row">') == len(table.rows) == 3
    assert first.count("<td") == 4 * 3 and first.count("<caption>") == 1
    assert all("scope" in attributes for attributes in markup.all("th"))
    regions = [a for a in markup.all("div") if a.get("class") == "scroll"]
    assert len(regions) == 6
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    assert all(image["alt"] for image in markup.all("img"))
    assert markup.all("html")[0]["lang"] == "en"
    assert "width=device-width" in text


def test_configurations_show_differences_first(built):
    _, text, _ = built
    part = text[text.index('id="configurations"') : text.index('id="reproduce"')]
    differing, shared = part.split("<details>")
    assert "noise.kind" in differing and "noise.rates" in differing
    assert "optimizer.name" in shared and "optimizer.name" not in differing
    assert ">seed<" not in part  # seeds are what is averaged over


def test_a_poor_study_gives_a_page_without_empty_parts(ledger, trial):
    study = load_study(ledger([trial("none", 0, "diverged")]))
    markup = Markup(page(study, tabulate(study), {}, title="Nothing yet"))
    anchors = [attributes["id"] for attributes in markup.all("section")]
    assert anchors == ["answer", "table", "runs", "configurations", "reproduce"]
    assert "No run has finished" in "".join(markup.text("strong"))
    assert len(markup.all("script")) == 3  # the runs, Plotly, the page's own
