// Training runs, as they go on.
import { $, call, duration, make } from './api.js';

const LIST_MS = 5000, RUN_MS = 2000;

const CHARTS = [
  { title: 'L1 loss', unit: '',
    lines: [['train_G_l1_loss', 'training', 'blue'], ['val_G_l1_loss', 'validation', 'accent']] },
  { title: 'PSNR', unit: 'dB',
    lines: [['train_psnr', 'training', 'blue'], ['val_psnr', 'validation', 'accent']] },
  { title: 'Adversarial loss', unit: '',
    lines: [['train_D_adv_loss', 'discriminator', 'blue'], ['train_G_adv_loss', 'generator', 'accent']] },
  { title: 'Learning rate', unit: '', fromZero: true, lines: [['lr', 'learning rate', 'blue']] },
  { title: 'L1 loss by step', unit: '', curve: true, lines: [['g_l1', 'training', 'blue']] },
];

let shown = null, timer = 0, listTimer = 0, active = false, follow = true, previews = [];
const charts = new Map(); // title: {chart, box, canvas}

// --- Curves.

let loading = null;

// Chart.js is fetched when the first curve is to be drawn.
function loadChart() {
  loading ??= new Promise((resolve, reject) => {
    const script = make('script', { src: '/chart.min.js' });
    script.onload = () => resolve(globalThis.Chart);
    script.onerror = reject;
    document.head.append(script);
  });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function options(spec) {
  const axis = (text) => ({ type: 'linear', title: { display: !!text, text, color: colour('dim') },
                            ticks: { color: colour('dim'), maxTicksLimit: 7 },
                            grid: { color: colour('line'), borderColor: colour('line') } });
  const x = axis(spec.curve ? 'step' : 'epoch'), y = axis(spec.unit);
  x.grid.display = false;
  x.ticks.precision = 0;
  y.beginAtZero = !!spec.fromZero;
  return { animation: false, responsive: true, maintainAspectRatio: false, parsing: false,
           interaction: { mode: 'nearest', axis: 'x', intersect: false },
           plugins: { legend: { display: spec.lines.length > 1, align: 'end',
                                labels: { color: colour('dim'), boxWidth: 18, boxHeight: 1 } } },
           scales: { x, y } };
}

function pointsOf(run, spec, key) {
  const table = spec.curve ? run.curve : run.log, xs = spec.curve ? table.step : table.epoch;
  return xs.map((x, i) => ({ x, y: table[key][i] })).filter((point) => point.y !== null);
}

function label(spec, sets) {
  const latest = sets.map((set) => `${set.label} ${set.data.at(-1).y.toPrecision(4)} ${spec.unit}`.trim());
  return `${spec.title}; latest: ${latest.join(', ')}`;
}

function drawOne(Chart, run, spec) {
  const sets = spec.lines.map(([key, name, tint]) => ({ label: name, data: pointsOf(run, spec, key),
    borderColor: colour(tint), backgroundColor: colour(tint), borderWidth: 2 }))
    .filter((set) => set.data.length);
  let entry = charts.get(spec.title);
  if (!entry) {
    const canvas = make('canvas');
    canvas.setAttribute('role', 'img');
    const box = make('div', { className: spec.curve ? 'box wide' : 'box' },
                     make('h2', { textContent: spec.title }),
                     make('div', { className: 'canvas' }, canvas));
    $('charts').append(box);
    const chart = new Chart(canvas, { type: 'line', data: { datasets: [] }, options: options(spec) });
    entry = { box, canvas, chart };
    charts.set(spec.title, entry);
  }
  entry.box.hidden = !sets.length;
  for (const set of sets) set.pointRadius = set.data.length > 40 ? 0 : 2;
  entry.canvas.setAttribute('aria-label', label(spec, sets));
  entry.chart.data.datasets = sets;
  entry.chart.update('none');
}

async function drawCharts(run) {
  const Chart = await loadChart();
  for (const spec of CHARTS) drawOne(Chart, run, spec);
}

function clearCharts() {
  for (const { chart, box } of charts.values()) {
    chart.destroy();
    box.remove();
  }
  charts.clear();
}

// --- A run.

function showTiles(run) {
  const psnr = run.log.val_psnr.filter((value) => value !== null);
  const best = psnr.length ? Math.max(...psnr) : null;
  const at = run.log.epoch[run.log.val_psnr.indexOf(best)];
  const speed = run.steps_per_second, unknown = run.running ? '…' : '–', quick = speed >= 1;
  const tiles = [
    ['Epoch', `${run.epoch}`, `of ${run.epochs}`],
    ['Step', run.steps.toLocaleString('en'), ''],
    ['Speed', speed === null ? unknown : (quick ? speed : 1 / speed).toFixed(1),
     speed === null ? '' : quick ? 'steps a second' : 'seconds a step'],
    ['Time left', run.seconds_left === null ? unknown : duration(run.seconds_left),
     run.seconds_left === null && run.running ? 'after the first epoch' : ''],
    ['Validation PSNR', psnr.length ? psnr.at(-1).toFixed(2) : '–', psnr.length ? 'dB' : ''],
    ['Best', best === null ? '–' : best.toFixed(2), best === null ? '' : `dB, epoch ${at}`],
  ];
  $('run-tiles').replaceChildren(...tiles.map(([name, value, unit]) =>
    make('div', {}, make('dt', { textContent: name }),
         make('dd', {}, `${value} `, make('small', { textContent: unit })))));
}

function showPreview() {
  const epoch = previews[$('epoch').value];
  const path = `/api/runs/${encodeURIComponent(shown)}/previews/${epoch}`;
  $('epoch-text').textContent = epoch;
  $('epoch').setAttribute('aria-valuetext', `epoch ${epoch}`);
  if (!$('preview').src.endsWith(path)) $('preview').src = path;
  $('preview').alt = `Preview after epoch ${epoch}: pairs of the network's picture and the original`;
  $('preview-link').href = path;
}

function showPreviews(run) {
  previews = run.previews;
  $('previews').hidden = !previews.length;
  if (!previews.length) return;
  $('epoch').max = previews.length - 1;
  if (follow) $('epoch').value = previews.length - 1;
  showPreview();
}

function ago(run) {
  if (run.running) return 'training';
  return run.epoch >= run.epochs ? 'finished' : `last step ${duration(run.updated)} ago`;
}

async function showRun(run) {
  $('run').hidden = false;
  $('run-name').textContent = run.name;
  $('run-state').textContent = ago(run);
  $('run-state').classList.toggle('live', run.running);
  $('run-bar').value = run.epochs ? run.epoch / run.epochs : 0;
  showTiles(run);
  showPreviews(run);
  $('run-settings').replaceChildren(...Object.entries(run.settings).map(([key, value]) =>
    make('div', {}, make('dt', { textContent: key }), make('dd', { textContent: value }))));
  await drawCharts(run);
}

async function pollRun() {
  clearTimeout(timer);
  if (!active || !shown) return;
  try {
    if (!document.hidden) {
      const run = await call('GET', `/api/runs/${encodeURIComponent(shown)}`);
      if (run.name === shown) await showRun(run);
    }
  } catch (error) {
    if (error.status === 404) $('run').hidden = true;
  }
  timer = setTimeout(pollRun, RUN_MS);
}

// --- The list.

function makeCard(run) {
  const facts = run.error ? 'cannot be read' : `epoch ${run.epoch} of ${run.epochs}, ${ago(run)}`;
  const link = make('a', { href: `#runs/${encodeURIComponent(run.name)}` },
                    make('strong', { textContent: run.name }), make('small', { textContent: facts }));
  if (!run.error) {
    const bar = make('progress', { max: 1, value: run.epochs ? run.epoch / run.epochs : 0 });
    bar.setAttribute('aria-hidden', 'true');
    link.append(bar);
  } else {
    link.title = run.error;
  }
  if (run.name === shown) link.setAttribute('aria-current', 'true');
  return make('li', {}, link);
}

async function pollList() {
  clearTimeout(listTimer);
  if (!active) return;
  try {
    if (!document.hidden || !$('run-list').children.length) {
      const list = await call('GET', '/api/runs');
      if (!shown && list.length) openRun(list[0].name);
      // Not under somebody's keyboard focus.
      const focused = $('run-list').contains(document.activeElement);
      if (!focused) $('run-list').replaceChildren(...list.map(makeCard));
      $('run-list').hidden = list.length < 2;
      $('run-none').hidden = list.length > 0;
    }
  } catch { /* the line at the bottom says that nobody answers */ }
  listTimer = setTimeout(pollList, LIST_MS);
}

function openRun(name) {
  if (name === shown) return;
  shown = name;
  follow = true;
  $('run').hidden = true;
  clearCharts();
  for (const card of $('run-list').querySelectorAll('a'))
    if (card.firstElementChild.textContent === name) card.setAttribute('aria-current', 'true');
    else card.removeAttribute('aria-current');
  pollRun();
}

// Shows the section, with the run of that name if there is one.
export function showRuns(name) {
  active = true;
  if (name) openRun(name);
  pollList();
  pollRun();
}

export function hideRuns() {
  active = false;
}

export function startRuns() {
  $('epoch').addEventListener('input', () => {
    follow = Number($('epoch').value) === previews.length - 1;
    showPreview();
  });
  document.addEventListener('visibilitychange', () => { if (active && !document.hidden) pollRun(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    clearCharts();
    pollRun();
  });
}
