# SPDX-License-Identifier: Apache-2.0
"""Marks the results that rest on the old count of the KL as withdrawn; run once.

Concerned is learned noise on units where a factor was drawn for each pixel of a map or
each step of a sequence while the KL had one term per channel or feature: in a cnn, and
in an rnn of several layers, with noise on its inputs, or inside the recurrence. A line
gets the entry "withdrawn"; nothing else in it changes.
"""

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
UNITS = ("variational_dropout", "logit_normal_dropout", "concrete_dropout")
REASON = (
    "its KL had one term per {0}, although noise is drawn for every {1}: see "
    "'What the KL counts' in docs/transforms.md"
)


def reason(config):
    """Returns why a result of this configuration is withdrawn; None if it stands."""
    model, noise = config["model"], config["noise"]
    if noise["kind"] not in UNITS:
        return None
    if model["name"] == "cnn":
        # With spatial sharing the input alone has a factor per pixel.
        if noise["sharing"] == "spatial" and not noise["learned_input"]:
            return None
        return REASON.format("channel", "pixel")
    if model["name"] == "rnn":
        inside = model["recurrent_noise"] in ("state", "candidate")
        fresh = len(model["widths"]) > 1 or noise["learned_input"] or inside
        if noise["sharing"] == "tied" or not fresh:
            return None
        return REASON.format("feature", "step")
    if model["name"] != "mlp":
        raise ValueError(f"what a {model['name']} draws is not known here")
    return None


def main():
    """Marks the lines, and prints how many of which methods there are."""
    for path in sorted([*RESULTS.glob("*.jsonl"), *RESULTS.glob("evidence/*.jsonl")]):
        lines, counts = [], {}
        for text in path.read_text("utf-8").splitlines():
            line = json.loads(text)
            assert json.dumps(line, sort_keys=True) == text or "config" not in line
            found = reason(line["config"]) if "config" in line else None
            if found:
                line["withdrawn"] = found
                text = json.dumps(line, sort_keys=True)
                counts[line["arm"]] = counts.get(line["arm"], 0) + 1
            lines.append(text)
        if counts:
            path.write_text("".join(f"{text}\n" for text in lines), "utf-8")
            print(path.relative_to(RESULTS), counts)


if __name__ == "__main__":
    main()
