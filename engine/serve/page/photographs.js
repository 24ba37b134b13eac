// Photographs: those of this page, from the file to the download.
import { $, ApiError, call, duration, explain, make, send } from './api.js';
import { foreshadow, showComparison } from './compare.js';

const BUSY_MS = 350, IDLE_MS = 20000, SENDERS = 2, SETTLE_MS = 450;
const HOPELESS = ['INPUT', 'FORMAT', 'SHAPE', 'TOO_LARGE']; // the file itself is what is wrong

let info, selected = null, sending = 0, timer = 0, settling = 0;
let session = null, sessionId = null; // a promise of the id; the id when it is there
const items = []; // in the order in which they were added

// --- An item: {file, url, state, sent, settings, picture, error, button}. state: queued (here), sending,
// then the server's (waiting, working, done, failed); picture is what the server says of it.

const isBusy = (item) => ['queued', 'sending', 'waiting', 'working'].includes(item.state);
const query = (values) => new URLSearchParams(values).toString();
const currentSettings = () => ({ model: $('model').value, strength: $('strength').value / 100,
                                 size: Number($('size').value) });

function part(item, name) {
  return `/api/pictures/${item.picture.id}/${name}?v=${item.picture.version}`;
}

function announce(text) {
  $('announce').textContent = text;
}

function fail(item, error) {
  item.state = 'failed';
  item.error = error;
  announce(`${item.file.name}: ${explain(error.message).what}.`);
}

// --- Sending and following.

async function begin() {
  session ??= call('POST', '/api/sessions').then((answer) => {
    sessionId = answer.session;
    return sessionId;
  });
  try {
    return await session;
  } catch (error) {
    session = null;
    throw error;
  }
}

async function upload(item) {
  item.state = 'sending';
  sending++;
  try {
    if (item.file.size > info.limits.bytes)
      throw new ApiError(413, 'TOO_LARGE', `${item.file.name} is too large (at most ` +
        `${info.limits.bytes >> 20} MiB are taken; send a smaller file)`);
    const parameters = query({ session: await begin(), name: item.file.name, ...item.settings });
    item.picture = await send(`/api/pictures?${parameters}`, item.file, (share) => {
      item.sent = share;
      show(item);
    });
    if (item.removed) call('DELETE', `/api/pictures/${item.picture.id}`).catch(() => {});
    item.state = item.picture.state;
  } catch (error) {
    if (error.status === 404) restart();
    else fail(item, error);
  }
  sending--;
  render();
  advance();
}

// Sends the next ones, and asks again when there is something to wait for.
function advance() {
  for (const item of items) {
    if (sending >= SENDERS) break;
    if (item.state === 'queued') upload(item);
  }
  clearTimeout(timer);
  const busy = items.some((item) => item.picture && isBusy(item));
  if (sessionId) timer = setTimeout(poll, busy ? BUSY_MS : IDLE_MS);
}

// The server has forgotten the session, as after a long sleep: the files are still here.
function restart() {
  session = sessionId = null;
  for (const item of items) {
    if (item.state === 'failed') continue;
    item.state = 'queued';
    item.picture = null;
  }
}

function take(item, picture) {
  const before = item.state, version = item.picture.version;
  item.picture = picture;
  item.state = picture.state;
  if (item.state === before && version === picture.version) return;
  if (item.state === 'failed') fail(item, picture.error);
  if (item.state === 'done') announce(`${item.file.name} is coloured. ${summary()}`);
}

async function poll() {
  try {
    const { pictures } = await call('GET', `/api/sessions/${sessionId}`);
    for (const picture of pictures) {
      const item = items.find((one) => one.picture?.id === picture.id);
      if (item) take(item, picture);
    }
  } catch (error) {
    if (error.status === 404) restart();
  }
  render();
  advance();
}

// --- Adding and removing.

function addFiles(files) {
  const added = [...files].map((file) => ({ file, state: 'queued', sent: 0, settings: currentSettings(),
                                            url: URL.createObjectURL(file) }));
  if (!added.length) return;
  for (const item of added) {
    item.button = makeThumb(item);
    items.push(item);
  }
  $('strip').append(...added.map((item) => make('li', {}, item.button)));
  if (!selected) select(added[0]);
  render();
  advance();
}

function forget(item) {
  const at = items.indexOf(item);
  items.splice(at, 1);
  item.removed = true;
  item.button.parentElement.remove();
  URL.revokeObjectURL(item.url);
  if (item.picture) call('DELETE', `/api/pictures/${item.picture.id}`).catch(() => {});
  if (item !== selected) return;
  selected = null;
  if (items.length) select(items[Math.min(at, items.length - 1)]);
}

function removeAll() {
  for (const item of [...items]) forget(item);
  render();
}

// Files of dropped folders, at any depth.
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const inner of entries) found.push(...await filesOf(inner));
  }
}

async function addDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return addFiles(transfer.files);
  const lists = await Promise.all(entries.map(filesOf));
  addFiles(lists.flat().filter((file) => !file.name.startsWith('.')));
}

// --- Settings.

// Has an item coloured with other settings.
async function apply(item, settings) {
  item.settings = settings;
  if (!item.picture) {
    if (item.state === 'failed') item.state = 'queued';
    return;
  }
  try {
    take(item, await call('POST', `/api/pictures/${item.picture.id}/again?${query(settings)}`));
  } catch (error) {
    if (error.status === 404) restart();
    else fail(item, error);
  }
}

async function applyTo(list) {
  const settings = currentSettings();
  await Promise.all(list.map((item) => apply(item, { ...settings })));
  render();
  advance();
}

function showSettings(settings) {
  $('model').value = settings.model;
  $('size').value = settings.size;
  $('strength').value = Math.round(settings.strength * 100);
  showStrength();
}

function showStrength() {
  $('strength-text').textContent = `${$('strength').value} %`;
}

// --- What is seen.

function makeThumb(item) {
  const image = make('img', { src: item.url, alt: '', loading: 'lazy', decoding: 'async' });
  image.onerror = () => { image.hidden = true; };
  const button = make('button', { type: 'button', className: 'thumb' }, image, make('span'));
  button.addEventListener('click', () => select(item));
  return button;
}

function stateText(item) {
  if (item.state === 'queued') return 'to be sent';
  if (item.state === 'sending') return item.sent < 1 ? `sending ${Math.round(item.sent * 100)} %` : 'sending';
  if (item.state === 'waiting') return item.picture.ahead ? `${item.picture.ahead} before it` : 'next';
  if (item.state === 'working') return `${Math.round(item.picture.progress * 100)} %`;
  return item.state === 'done' ? 'coloured' : item.file.name;
}

function showThumb(item) {
  const { button } = item, image = button.firstElementChild;
  button.className = `thumb ${isBusy(item) ? 'busy' : item.state}`;
  button.lastElementChild.textContent = stateText(item);
  button.title = item.file.name;
  const said = item.state === 'failed' ? 'failed' : stateText(item);
  button.setAttribute('aria-label', `${item.file.name}, ${said}`);
  if (item === selected) button.setAttribute('aria-current', 'true');
  else button.removeAttribute('aria-current');
  if (item.state === 'done' && image.dataset.of !== String(item.picture.version)) {
    image.dataset.of = item.picture.version;
    image.hidden = false;
    image.src = part(item, 'after');
  }
}

function pendingText(item) {
  const left = item.picture?.seconds_left;
  const rest = left ? `, about ${duration(left)} left` : '';
  if (item.state === 'queued') return 'Waiting to be sent';
  if (item.state === 'sending') return 'Sending';
  if (item.state === 'waiting' && !item.picture.ahead) return 'Next';
  if (item.state === 'waiting') return `Waiting, ${item.picture.ahead} before it${rest}`;
  return `Colouring${rest}`;
}

function showPending(item, shown) {
  const figure = $('pending'), image = figure.querySelector('img');
  figure.hidden = !shown;
  if (!shown) return;
  if (image.src !== item.url) {
    image.hidden = false;
    image.src = item.url;
    image.alt = item.file.name;
    image.onload = () => figure.style.setProperty('--ratio', image.naturalWidth / image.naturalHeight);
    image.onerror = () => { image.hidden = true; };
  }
  $('pending-text').textContent = pendingText(item);
  $('pending-bar').value = item.state === 'sending' ? item.sent : item.picture?.progress ?? 0;
}

function showFailure(item, shown) {
  $('failure').hidden = !shown;
  if (!shown) return;
  const { what, why, remedy } = explain(item.error.message);
  $('retry').hidden = HOPELESS.includes(item.error.code);
  $('failure').querySelector('h2').textContent = what;
  $('failure').querySelector('.why').textContent = why;
  $('failure').querySelector('.remedy').textContent = remedy;
}

function showDownload(link, path, enabled) {
  link.setAttribute('aria-disabled', String(!enabled));
  if (enabled) link.href = path;
  else link.removeAttribute('href');
}

function summary() {
  const done = items.filter((item) => item.state === 'done').length;
  const failed = items.filter((item) => item.state === 'failed').length;
  const left = Math.max(0, ...items.map((item) => isBusy(item) && item.picture?.seconds_left || 0));
  const parts = [`${done} of ${items.length} coloured`];
  if (failed) parts.push(`${failed} failed`);
  if (left) parts.push(`about ${duration(left)} left`);
  return parts.join(', ');
}

function showStage(item) {
  const hasResult = item.picture?.version > 0 && item.state !== 'failed';
  showPending(item, isBusy(item) && !hasResult);
  showFailure(item, item.state === 'failed');
  showComparison(hasResult ? { name: item.file.name, width: item.picture.width, height: item.picture.height,
                               before: part(item, 'before'), after: part(item, 'after') } : null);
  $('again-bar').hidden = !(hasResult && isBusy(item));
  $('again-bar').value = item.picture?.progress ?? 0;
  if (item.state === 'done' && !settling) foreshadow(1);
}

// Brings everything that shows this item up to date.
function show(item) {
  showThumb(item);
  if (item !== selected) return;
  showStage(item);
  $('name').textContent = item.file.name;
  const { width, height } = item.picture ?? {};
  $('facts').textContent = width ? `${width} × ${height} pixels` : '';
  showDownload($('download'), item.picture && part(item, 'result'), item.state === 'done');
}

function render() {
  $('welcome').hidden = items.length > 0;
  $('work').hidden = items.length === 0;
  for (const item of items) show(item);
  $('summary').textContent = summary();
  const several = items.length > 1;
  for (const id of ['for-all', 'download-all', 'remove-all']) $(id).hidden = !several;
  const anyDone = items.some((item) => item.state === 'done');
  showDownload($('download-all'), `/api/sessions/${sessionId}/zip`, anyDone);
}

function select(item) {
  const other = selected;
  selected = item;
  if (other) show(other);
  showSettings(item.settings);
  foreshadow(1);
  show(item);
  item.button.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function step(by) {
  const next = items[items.indexOf(selected) + by];
  if (!next) return;
  select(next);
  next.button.focus();
}

// --- Listening.

function listenForFiles() {
  const curtain = $('curtain');
  $('file').addEventListener('change', (event) => {
    addFiles(event.target.files);
    event.target.value = '';
  });
  for (const button of document.querySelectorAll('.choose'))
    button.addEventListener('click', () => $('file').click());
  addEventListener('paste', (event) => addFiles(event.clipboardData.files));
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    curtain.hidden = false;
  });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) curtain.hidden = true; });
  addEventListener('drop', (event) => {
    event.preventDefault();
    curtain.hidden = true;
    addDropped(event.dataTransfer);
  });
}

function listenForSettings() {
  const settle = () => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      settling = 0;
      if (selected) applyTo([selected]);
    }, SETTLE_MS);
  };
  for (const id of ['model', 'size']) $(id).addEventListener('change', settle);
  $('strength').addEventListener('input', () => {
    showStrength();
    const shown = selected?.picture?.settings.strength;
    if (shown > 0) foreshadow($('strength').value / 100 / shown);
    settle();
  });
  $('settings').addEventListener('submit', (event) => event.preventDefault());
  $('for-all').addEventListener('click', () => applyTo(items));
  $('retry').addEventListener('click', () => applyTo([selected]));
  $('remove').addEventListener('click', () => { forget(selected); render(); });
  $('remove-all').addEventListener('click', removeAll);
  $('strip').addEventListener('keydown', (event) => {
    if (event.key === 'ArrowRight') step(1);
    else if (event.key === 'ArrowLeft') step(-1);
    else if (event.key === 'Delete') { forget(selected); render(); selected?.button.focus(); }
    else return;
    event.preventDefault();
  });
}

export function startPhotographs(about) {
  info = about;
  $('promise').textContent = info.local
    ? 'They stay on this computer, and are forgotten when you close this page.'
    : 'They go to the computer that runs vkpix and nowhere else, and are forgotten when you close this page.';
  for (const name of info.models)
    $('model').append(make('option', { value: name, textContent: name.replace(/^run:/, 'run ') }));
  listenForFiles();
  listenForSettings();
  // A page that is closed frees its work at once; one that comes back from the browser's cache begins anew.
  addEventListener('pagehide', () => {
    if (sessionId) navigator.sendBeacon(`/api/sessions/${sessionId}/close`);
  });
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
}
