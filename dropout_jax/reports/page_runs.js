// One run: its curves, the command that repeats it, its configuration and environment.
(() => {
  const place = document.getElementById("run");
  const block = document.querySelector("script[data-runs]");
  if (!place || !block) return;
  let data = null;

  function make(tag, text, ...children) {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  }

  function facts(caption, values) {
    const body = make("tbody");
    for (const [name, value] of Object.entries(values)) {
      const head = make("th", name);
      head.scope = "row";
      const shown = typeof value === "string" ? value : JSON.stringify(value);
      body.append(make("tr", "", head, make("td", shown)));
    }
    const table = make("table", "", make("caption", caption), body);
    table.className = "settings";
    const scroll = make("div", "", table);
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    return scroll;
  }

  function curves(run) {
    const { epoch, ...series } = run.curves;
    const colours = { validation: "#0072B2", clean: "#D55E00" };
    const charts = [];
    for (const kind of ["accuracy", "loss"]) {
      const chosen = Object.keys(series).filter((name) => name.endsWith(kind));
      if (!chosen.length) continue;
      const traces = chosen.map((name) => ({
        type: "scatter",
        mode: "lines",
        name: name.startsWith("clean") ? "training, no noise" : "validation",
        x: epoch,
        y: kind === "accuracy" ? series[name].map((v) => v && 100 * v) : series[name],
        line: {
          color: colours[name.split("_")[0]],
          dash: name.startsWith("clean") ? "dash" : "solid",
        },
      }));
      const unit = kind === "accuracy" ? "accuracy (%)" : "loss (nats)";
      charts.push([traces, unit]);
    }
    return charts;
  }

  function open(link) {
    data ??= JSON.parse(block.textContent);
    const run = data.runs[Number(link.dataset.run)];
    const seed = link.closest("tr").cells[1].textContent;
    const command = make("pre", "", make("code", run.command));
    command.tabIndex = 0;
    const charts = make("div");
    charts.className = "charts";
    place.replaceChildren(
      make("h3", `${link.textContent}, seed ${seed}`),
      command,
      charts,
      facts("Configuration of this run", { ...run.config, ...data.shared }),
      facts("Environment of this run", data.environments[run.environment]),
    );
    place.hidden = false;
    // All places first: a chart takes the width that it finds.
    const drawn = curves(run).map(([traces, unit]) => {
      const target = make("div");
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", unit);
      charts.append(target);
      return [target, traces, unit];
    });
    for (const [target, traces, unit] of drawn) {
      window.drawChart(target, traces, {
        height: 320,
        margin: { l: 60, r: 16, t: 10, b: 56 },
        legend: { orientation: "h", yanchor: "top", y: -0.25, x: 0 },
        xaxis: { title: { text: "epoch", standoff: 4 } },
        yaxis: { title: { text: unit } },
      });
    }
    place.focus();
    place.scrollIntoView({ block: "start" });
  }

  document.querySelector("table.runs").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-run]");
    if (!link) return;
    event.preventDefault();
    open(link);
  });
})();
