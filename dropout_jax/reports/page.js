"use strict";
// Draws the charts described in the page's JSON blocks, in the colours of its theme.
(() => {
  const root = document.documentElement;
  const blocks = [...document.querySelectorAll("script[data-chart]")];
  const coarse = matchMedia("(pointer: coarse)").matches;

  // Elements resolve light-dark(); the custom properties themselves do not.
  function theme() {
    const ink = getComputedStyle(document.body).color;
    const line = getComputedStyle(document.querySelector(".scroll")).borderTopColor;
    const raised = getComputedStyle(document.getElementById("answer")).backgroundColor;
    return { ink, line, raised };
  }

  function themed(layout) {
    const { ink, line, raised } = theme();
    const axis = (own) => ({ ...own, gridcolor: line, zerolinecolor: ink, linecolor: line });
    return {
      ...layout,
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
      hoverlabel: { bgcolor: raised, bordercolor: line, font: { color: ink } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
      // A finger that scrolls the page must not zoom the chart.
      dragmode: coarse ? false : "zoom",
    };
  }

  function drawChart(target, data, layout) {
    target.dataset.layout = JSON.stringify(layout);
    return Plotly.react(target, data, themed(layout), {
      responsive: true,
      displaylogo: false,
      // Its "share" button would upload the chart.
      showSendToCloud: false,
      plotlyServerURL: "",
      displayModeBar: coarse ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    });
  }
  window.drawChart = drawChart; // for the curves of single runs

  // One after another, so that the page answers from the start.
  function drawFrom(place) {
    if (place === blocks.length) return;
    const { data, layout } = JSON.parse(blocks[place].textContent);
    drawChart(document.getElementById(blocks[place].dataset.chart), data, layout);
    setTimeout(drawFrom, 0, place + 1);
  }
  function draw() {
    for (const chart of document.querySelectorAll(".js-plotly-plot")) {
      drawChart(chart, chart.data, JSON.parse(chart.dataset.layout));
    }
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    draw();
  });
  dark.addEventListener("change", draw);

  // Plotly is text until the page stands: its megabytes must not hold up the answer.
  addEventListener("load", () => {
    setTimeout(() => {
      const library = document.createElement("script");
      library.textContent = document.getElementById("plotly").textContent;
      document.head.append(library);
      drawFrom(0);
    });
  });
})();
