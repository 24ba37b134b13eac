// The page: what is there, and which section is shown.
import { $, call } from './api.js';
import { startPhotographs } from './photographs.js';
import { hideRuns, showRuns, startRuns } from './runs.js';

let info;

function route() {
  const [section, name] = location.hash.slice(1).split('/');
  const runs = section === 'runs' && info.runs;
  $('photographs').hidden = runs;
  $('runs').hidden = !runs;
  for (const link of document.querySelectorAll('[data-section]'))
    if (link.dataset.section === (runs ? 'runs' : 'photographs')) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  document.title = runs ? 'Training · vkpix' : 'vkpix';
  if (runs) showRuns(name && decodeURIComponent(name));
  else hideRuns();
}

info = await call('GET', '/api/info');
$('sections').hidden = !info.runs;
startPhotographs(info);
startRuns();
addEventListener('hashchange', route);
route();
