// Figures to explore (smlib/run/interactive.py): a button each, which loads BokehJS from the book itself and draws.
(() => {
  const bokeh = new URL("../bokeh/bokeh.min.js", document.currentScript.src).href;
  let loading;

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = bokeh;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${bokeh} could not be loaded`));
      document.head.append(script);
    });
    return loading;
  }

  function offer(figure) {
    const button = figure.querySelector("button");
    const place = figure.querySelector("div");
    let drawn = false;
    place.id = `interactive-${figure.dataset.interactive.replace(/[^A-Za-z0-9]+/g, "-")}`;
    place.hidden = true;
    button.setAttribute("aria-controls", place.id);
    button.addEventListener("click", async () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      button.textContent = open ? "Close" : "Explore";
      place.hidden = !open;
      if (!open || drawn) return;
      drawn = true;
      try {
        await load();
        await Bokeh.embed.embed_item(JSON.parse(figure.querySelector("script").textContent), place.id);
      } catch (error) {
        place.textContent = `This figure cannot be drawn here (${error.message}); the one above shows the same data.`;
      }
    });
    figure.hidden = false;
  }

  const start = () => document.querySelectorAll("figure[data-interactive]").forEach(offer);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
