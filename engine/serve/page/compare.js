// The before/after slider: a range input underneath for the keyboard and for screen readers, and the whole
// picture for mouse and finger.
import { $ } from './api.js';

const figure = $('compare'), slider = $('slider');
const before = figure.querySelector('.before'), after = figure.querySelector('.after');

function place(percent) {
  const at = Math.min(100, Math.max(0, percent));
  slider.value = Math.round(at);
  slider.setAttribute('aria-valuetext', `${Math.round(at)} % original, ${100 - Math.round(at)} % coloured`);
  figure.style.setProperty('--at', `${at}%`);
  figure.classList.toggle('all-before', at > 85);
  figure.classList.toggle('all-after', at < 15);
}

function follow(event) {
  const box = figure.getBoundingClientRect();
  place(100 * (event.clientX - box.left) / box.width);
}

figure.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  figure.setPointerCapture(event.pointerId);
  slider.focus({ preventScroll: true, focusVisible: false });
  follow(event);
  event.preventDefault();
});
figure.addEventListener('pointermove', (event) => {
  if (figure.hasPointerCapture(event.pointerId)) follow(event);
});
slider.addEventListener('input', () => place(Number(slider.value)));
place(50);

// Shows two pictures of one size; the divider stays where the person left it.
export function showComparison(pictures) {
  figure.hidden = !pictures;
  if (!pictures) return;
  figure.style.setProperty('--ratio', pictures.width / pictures.height);
  if (!before.src.endsWith(pictures.before)) before.src = pictures.before;
  if (!after.src.endsWith(pictures.after)) after.src = pictures.after;
  before.alt = `${pictures.name}, the original`;
  after.alt = `${pictures.name}, coloured`;
}

// What another strength will look like, until the true result is there.
export function foreshadow(factor) {
  after.style.filter = factor === 1 ? '' : `saturate(${factor})`;
}
