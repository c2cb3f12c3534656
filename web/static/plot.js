// Plots: uPlot draws over the server's SVG what an endpoint of our own has. If anything fails, the SVG stays, and the table under it always
// does. It writes text, never markup. Amounts are whole micro-dollars until they are drawn.
(() => {
  'use strict';
  const d = document, el = (name, text) => { const e = d.createElement(name); if (text) e.textContent = text; return e; };
  if (!window.uPlot) return;
  const probe = el('i'); probe.hidden = true; d.body.append(probe);
  const color = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; }; // light-dark() needs resolving
  const usd = (v) => { // as the server writes what was spent: never less than it was
    if (v > 0 && v < 100) return '< $0.0001';
    const at = v < 1e6 ? 4 : 2, n = Math.ceil(v / 10 ** (6 - at)) / 10 ** at;
    return '$' + n.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: at });
  };
  const when = (options) => { const f = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }); return (s) => f.format(s * 1e3); };
  const day = when({ day: 'numeric', month: 'short' }), clock = when({ hour: '2-digit', minute: '2-digit' });
  const named = when({ weekday: 'short', day: 'numeric', month: 'short' });

  const draw = async (fig) => {
    const at = fig.querySelector('[data-plot]');
    const res = await fetch(at.dataset.plot, { headers: { accept: 'application/json' }, redirect: 'error' });
    if (!res.ok) return;
    const { kind, every, x, series, cap = 0 } = await res.json(), bars = kind === 'bars', n = x.length, last = series.length - 1;
    if (!n || last < 0) return;
    const days = every >= 86400 || (!bars && x[n - 1] - x[0] > 3 * 86400);
    const steps = [60, 300, 900, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000].filter((s) => s >= (days ? 86400 : every)); // whole ones, UTC
    // Stacked: each series is drawn as the sum up to it, the tallest first, so that the lower ones paint over it.
    const sums = [];
    for (const [i, s] of series.entries()) sums.push(s.data.map((v, j) => v + (bars && i ? sums[i - 1][j] : 0)));
    const order = series.map((_, i) => bars ? last - i : i), data = [x, ...order.map((i) => sums[i])];
    if (cap) data.push(x.map(() => cap));

    const box = el('div'), live = el('p'), table = el('dl'), head = el('strong');
    box.className = 'tip'; box.hidden = true; box.append(head, table); table.className = 'kv'; live.className = 'vh'; live.setAttribute('aria-live', 'polite');
    let plot, here = n;
    const row = (name, v) => { table.append(el('dt', name), el('dd', usd(v))); return `${name} ${usd(v)}`; };
    const tell = (u) => {
      const j = u.cursor.idx;
      if (j == null || u.cursor.left < 0) { box.hidden = true; return; }
      here = j; table.replaceChildren(); head.textContent = named(x[j]) + (days && bars ? '' : ', ' + clock(x[j]) + ' UTC');
      const told = [head.textContent], some = series.filter((s) => s.data[j] || !bars);
      for (const s of some) told.push(row(s.name, s.data[j]));
      if (bars && some.length !== 1) told.push(row('Together', sums[last][j]));
      if (cap) told.push(row('Cap', cap));
      box.hidden = false;
      const left = u.root.offsetLeft + u.over.offsetLeft + u.cursor.left, w = box.offsetWidth, flip = left + w + 16 > fig.clientWidth;
      box.style.transform = `translate(${Math.max(0, flip ? left - w - 12 : left + 12)}px,${at.offsetTop + 8}px)`;
      box.dataset.told = told.join(', ');
    };
    const line = (i) => {
      const c = color(`--p${i + 1}`), out = { label: series[i].name, points: { show: false }, fill: c };
      if (bars) return { ...out, width: 0, paths: uPlot.paths.bars({ size: [.8, 44] }) };
      return { ...out, stroke: c, width: 2, fill: c.replace('rgb(', 'rgba(').replace(')', ', .12)'), paths: uPlot.paths.stepped({ align: 1 }) };
    };
    const build = () => {
      const font = '12px ' + getComputedStyle(d.body).fontFamily, stroke = color('--ink-2'), grid = { stroke: color('--line'), width: 1 }, quiet = { show: false };
      const next = new uPlot({
        width: at.clientWidth, height: fig.clientWidth < 480 ? 190 : 240, padding: [10, bars ? 8 : 28, 0, 0], legend: quiet,
        cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars } },
        scales: { x: { time: false, range: (u, a, b) => bars ? [a - every / 2, b + every / 2] : [a, b > a ? b : a + 60] }, y: { range: (u, a, b) => [0, Math.max(b, cap) * 1.08 || 1e6] } },
        axes: [{ stroke, font, grid: quiet, ticks: quiet, size: 30, gap: 6, space: 64, incrs: steps, values: (u, v) => v.map(days ? day : clock) },
          { stroke, font, grid, ticks: quiet, size: 58, gap: 4, space: 44, values: (u, v) => v.map((m) => m ? usd(m) : '$0') }],
        series: [{}, ...order.map(line), ...(cap ? [{ label: 'Cap', stroke: color('--bad'), width: 1.5, dash: [5, 4], points: quiet }] : [])],
        hooks: { setCursor: [tell] },
      }, data, (u, start) => { at.replaceChildren(u.root); start(); });
      next.root.setAttribute('aria-hidden', 'true'); // the label, the live line and the table speak for it
      plot?.destroy(); plot = next; box.hidden = true;
    };
    build();
    fig.append(box, live);
    let width = at.clientWidth;
    new ResizeObserver(() => { if (Math.abs(at.clientWidth - width) > 1) { width = at.clientWidth; plot.setSize({ width, height: plot.height }); } }).observe(at);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', build); // a canvas has no CSS
    at.tabIndex = 0; at.setAttribute('role', 'group');
    at.setAttribute('aria-label', 'Plot. Left and right arrows read its values; the same numbers are in the table below.');
    at.addEventListener('keydown', (e) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!by || e.ctrlKey || e.altKey || e.metaKey) return;
      e.preventDefault(); here = Math.min(n - 1, Math.max(0, here + by));
      plot.setCursor({ left: plot.valToPos(x[here], 'x'), top: 20 }); live.textContent = box.dataset.told;
    });
    at.addEventListener('blur', () => plot.setCursor({ left: -10, top: -10 }));
  };
  for (const fig of d.querySelectorAll('figure.plot')) draw(fig).catch(() => {});
})();
