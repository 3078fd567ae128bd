"use strict";
// Draws the data of `tokpress score --html`. Text of the file is set as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const number = (x, digits = 3) => x.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const count = (x) => x.toLocaleString("en");

  function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /** The arrow keys, Home and End as a change of a position. */
  function onKeys(element, moves, go) {
    element.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      go(move());
    });
  }

  // --- text

  /** The number of limits that the bits of a token reach: 0 … 8. */
  const level = (bits) => data.limits.filter((limit) => bits >= limit).length;
  const shown = (text) => text.replace(/\n/g, "↵\n") || "∅";
  const quoted = (text) => `“${text.replace(/\n/g, "\\n").replace(/\t/g, "\\t")}”`;

  function drawText() {
    const { tokens, likeliest } = data, box = byId("tokens"), spans = [], lineStarts = [0];
    const offsets = [];
    let offset = 0, current = -1;
    tokens.text.forEach((text, i) => {
      const span = make("span", `t l${level(tokens.bits[i])}${tokens.hex[i] ? " escaped" : ""}`, shown(text));
      span.id = `t${i}`;
      span.setAttribute("role", "option");
      spans.push(span);
      offsets.push(offset);
      offset += tokens.bytes[i];
      if (text.includes("\n")) lineStarts.push(i + 1);
    });
    box.append(...spans);
    if (!spans.length) return;
    spans[0].tabIndex = 0;

    function describe(i) {
      const reading = byId("reading"), table = byId("likeliest");
      reading.replaceChildren(make("code", "", quoted(tokens.text[i])), make("br"),
        `${number(tokens.bits[i])} bits · ${count(tokens.bytes[i])} ${tokens.bytes[i] === 1 ? "byte" : "bytes"} at offset ` +
        `${count(offsets[i])} · token ${count(i + 1)}${tokens.hex[i] ? ` · bytes ${tokens.hex[i]}` : ""}`);
      if (!table) return;
      const rows = [], actual = likeliest.symbols[i];
      for (let k = 0; k < likeliest.best; k++) {
        const symbol = likeliest.likeliest[i * likeliest.best + k], p = likeliest.p[i * likeliest.best + k];
        const row = make("tr", symbol === actual ? "actual" : ""), cell = make("td");
        cell.append(make("code", "", quoted(likeliest.names[symbol])), symbol === actual ? " ← this token" : "");
        row.append(make("td", "number", `${number(100 * p, 2)} %`), cell);
        rows.push(row);
      }
      table.replaceChildren(...rows);
    }

    function select(i, focus) {
      i = Math.max(0, Math.min(spans.length - 1, i));
      if (current >= 0) spans[current].removeAttribute("aria-selected");
      spans.forEach((span) => span.tabIndex === 0 && span.removeAttribute("tabindex"));
      current = i;
      spans[i].setAttribute("aria-selected", "true");
      spans[i].tabIndex = 0;
      spans[i].setAttribute("aria-label", `${quoted(tokens.text[i])}: ${number(tokens.bits[i])} bits`);
      describe(i);
      if (focus) spans[i].focus();
    }

    const index = (event) => event.target.closest ? Number((event.target.closest(".t") || { id: "t-1" }).id.slice(1)) : -1;
    box.addEventListener("mouseover", (event) => index(event) >= 0 && describe(index(event)));
    box.addEventListener("mouseleave", () => current >= 0 && describe(current));
    box.addEventListener("click", (event) => index(event) >= 0 && select(index(event), true));
    box.addEventListener("focusin", (event) => index(event) >= 0 && index(event) !== current && select(index(event), false));
    const lineOf = (i) => lineStarts.filter((start) => start <= i).length - 1;
    const line = (step) => lineStarts[Math.max(0, Math.min(lineStarts.length - 1, lineOf(current) + step))];
    const costly = (step) => {
      for (let i = current + step; i >= 0 && i < spans.length; i += step) if (tokens.bits[i] >= data.costly) return i;
      return current;
    };
    onKeys(box, {
      ArrowLeft: () => current - 1, ArrowRight: () => current + 1, ArrowUp: () => line(-1), ArrowDown: () => line(1),
      Home: () => 0, End: () => spans.length - 1, n: () => costly(1), p: () => costly(-1),
    }, (i) => select(i, true));

    function jump(first, stop) {
      document.querySelectorAll(".t.line").forEach((span) => span.classList.remove("line"));
      spans.slice(first, stop).forEach((span) => span.classList.add("line"));
      select(first, true);
      spans[first].scrollIntoView({ block: "center" });
    }
    listLines(jump);
  }

  function listLines(jump) {
    const list = byId("lines"), order = byId("order");
    function draw() {
      list.replaceChildren(...data.lines[order.value].map((row) => {
        const item = make("li"), told = `line ${count(row.line)}: ${number(row.bits)} bits, ${number(row.bits_per_byte)} bits per byte`;
        if (row.first !== null && jump) {
          const link = make("a", "", told);
          link.href = `#t${row.first}`;
          link.addEventListener("click", (event) => {
            event.preventDefault();
            jump(row.first, row.stop);
          });
          item.append(link);
        } else item.append(told);
        const text = make("code", "tokens");
        text.append(...row.tokens.map(([part, bits]) => make("span", bits === null ? "" : `l${level(bits)}`, part)));
        item.append(text);
        return item;
      }));
    }
    order.addEventListener("change", draw);
    draw();
  }

  // --- pictures

  const RAMP = [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];

  function colour(share) {
    const at = Math.max(0, Math.min(1, share)) * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2);
    return RAMP[low].map((value, i) => Math.round(value + (RAMP[low + 1][i] - value) * (at - low)));
  }

  function drawPicture() {
    const { columns, side, width, height, top } = data, rows = Math.ceil(height / side);
    const bytes = Uint8Array.from(atob(data.bits), (c) => c.charCodeAt(0));
    const bits = Array.from({ length: bytes.length / 2 }, (_, i) => (bytes[2 * i] + 256 * bytes[2 * i + 1]) / data.steps);
    const canvas = byId("heat"), context = canvas.getContext("2d"), image = new ImageData(columns, rows);
    canvas.width = columns;
    canvas.height = rows;
    bits.forEach((value, i) => image.data.set([...colour(value / top), 255], 4 * i));
    context.putImageData(image, 0, 0);
    byId("picture").src = `data:image/png;base64,${data.png}`;
    let x = 0, y = 0;
    const names = ["picture", "heat"], cursors = names.map((name) => byId(name).parentElement.appendChild(make("div", "cursor")));

    function mark(left, above, wide, high) {
      for (const cursor of cursors) {
        cursor.style.left = `${(100 * left) / width}%`;
        cursor.style.top = `${(100 * above) / height}%`;
        cursor.style.width = `${(100 * wide) / width}%`;
        cursor.style.height = `${(100 * high) / height}%`;
      }
    }

    function show(column, row) {
      x = Math.max(0, Math.min(columns - 1, column));
      y = Math.max(0, Math.min(rows - 1, row));
      mark(x * side, y * side, side, side);
      const what = side > 1 ? `${side} × ${side} pixels from column ${count(x * side)}, row ${count(y * side)}: mean of` : `Pixel in column ${count(x)}, row ${count(y)}:`;
      byId("reading").textContent = `${what} ${number(bits[y * columns + x], 2)} bits per pixel`;
    }

    for (const name of names) {
      byId(name).addEventListener("mousemove", (event) => {
        const box = event.currentTarget.getBoundingClientRect();
        show(Math.floor(((event.clientX - box.left) / box.width) * columns), Math.floor(((event.clientY - box.top) / box.height) * rows));
      });
    }
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-columns, -rows], End: [columns, rows] };
    onKeys(canvas, Object.fromEntries(Object.entries(moves).map(([key, [dx, dy]]) => [key, () => [x + dx, y + dy]])), (at) => show(...at));
    listPlaces((place) => `column ${count(place.x)}, row ${count(place.y)}: ${number(place.bits)} bits per pixel`, (place) => {
      x = Math.floor(place.x / side);
      y = Math.floor(place.y / side);
      mark(place.x, place.y, place.width, place.height);
      byId("reading").textContent = `Columns ${count(place.x)} to ${count(place.x + place.width - 1)}, rows ${count(place.y)} to ` +
        `${count(place.y + place.height - 1)}: mean of ${number(place.bits)} bits per pixel`;
    });
  }

  function listPlaces(told, go) {
    byId("places").append(...data.places.map((place) => {
      const item = make("li"), button = make("button", "", told(place));
      button.type = "button";
      button.addEventListener("click", () => go(place));
      item.append(button);
      return item;
    }));
  }

  // --- sound

  function drawSound() {
    const { starts, low, high, bits, top, samples } = data, n = starts.length, plots = [byId("wave"), byId("cost")];
    const path = (id, className, points) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
      element.setAttribute("class", className);
      element.setAttribute("d", `M${points.map(([x, y]) => `${x},${y.toFixed(2)}`).join("L")}Z`);
      element.setAttribute("vector-effect", "non-scaling-stroke");
      byId(id).append(element);
    };
    // an x for each column, and one more at its end, so that the last column is as wide as the others
    const steps = (values, y) => values.flatMap((value, i) => [[i, y(value)], [i + 1, y(value)]]);
    plots.forEach((plot) => plot.setAttribute("viewBox", `0 0 ${n} 100`));
    path("wave", "wave", [...steps(high, (v) => 50 - 50 * v), ...steps(low, (v) => 50 - 50 * v).reverse()]);
    path("cost", "cost", [[0, 100], ...steps(bits, (v) => 100 - (100 * v) / top), [n, 100]]);
    const cursors = plots.map((plot) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      line.setAttribute("class", "here");
      line.setAttribute("vector-effect", "non-scaling-stroke");
      return plot.appendChild(line);
    });
    let at = 0;

    function show(column) {
      at = Math.max(0, Math.min(n - 1, column));
      cursors.forEach((line) => line.setAttribute("d", `M${at + 0.5},0V100`));
      const last = (at + 1 < n ? starts[at + 1] : samples) - 1;
      byId("reading").textContent = `Samples ${count(starts[at])} to ${count(last)}: ${number(bits[at])} bits per sample; ` +
        `from ${number(low[at])} to ${number(high[at])} of full scale`;
    }

    plots.forEach((plot) => plot.addEventListener("mousemove", (event) => {
      const box = plot.getBoundingClientRect();
      show(Math.floor(((event.clientX - box.left) / box.width) * n));
    }));
    const page = Math.max(1, Math.floor(n / 20));
    onKeys(byId("cost"), {
      ArrowLeft: () => at - 1, ArrowRight: () => at + 1, PageUp: () => at - page, PageDown: () => at + page, Home: () => 0, End: () => n - 1,
    }, show);
    listPlaces((column) => `sample ${count(starts[column])}: ${number(bits[column])} bits per sample`, show);
  }

  if (data.view === "text") drawText();
  if (data.view === "picture") drawPicture();
  if (data.view === "sound") drawSound();
})();
