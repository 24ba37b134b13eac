// The HTTP interface (docs/http.md), and what several parts of the page need.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function failure(status, text) {
  try {
    const { error } = JSON.parse(text);
    return new ApiError(status, error.code, error.message);
  } catch {
    return new ApiError(status, 'ANSWER', 'vkpix gave no answer (the request was cut off; try again)');
  }
}

// Shows or hides the line that says that nobody answers.
function reachable(yes) {
  document.getElementById('lost').hidden = yes;
}

export async function call(method, path) {
  let response;
  try {
    response = await fetch(path, { method });
  } catch {
    reachable(false);
    throw new ApiError(0, 'UNREACHABLE',
                       'vkpix does not answer (it may have been stopped; start vkpix serve again)');
  }
  reachable(true);
  const text = await response.text();
  if (!response.ok) throw failure(response.status, text);
  return JSON.parse(text);
}

// Sends a file; `progress` gets the share that is sent. fetch() does not tell it.
export function send(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => request.status < 300 ? resolve(JSON.parse(request.responseText))
                                                : reject(failure(request.status, request.responseText));
    request.onerror = () => reject(failure(0, ''));
    request.send(file);
  });
}

export const $ = (id) => document.getElementById(id);

// An element with properties and children.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Seconds as a person says them.
export function duration(seconds) {
  if (seconds < 1.5) return 'a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600), minutes = Math.round(seconds % 3600 / 60);
  return hours < 48 ? `${hours} h ${minutes} min` : `${Math.round(hours / 24)} days`;
}

// "WHAT (WHY; WHAT TO DO)", taken apart.
export function explain(message) {
  const parts = /^(.*?) \((.*); (.*)\)$/s.exec(message);
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  if (!parts) return { what: capital(message), why: '', remedy: '' };
  return { what: capital(parts[1]), why: `${capital(parts[2])}.`, remedy: `${capital(parts[3])}.` };
}
