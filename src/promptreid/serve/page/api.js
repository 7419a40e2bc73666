// Requests to the service that serves this page.

const KEY = "promptreid-token";

/** Take a token out of the address, where a link brought one, and keep it for this tab. */
export function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return;
  keepToken(decoded(found[1]));
  history.replaceState(null, "", location.pathname + "#/search");
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

export function keepToken(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

const token = () => sessionStorage.getItem(KEY);

/** What the service refused, in its words. */
export class Refusal extends Error {
  constructor(status, detail, problems = [], retryAfter = null) {
    super(detail);
    this.status = status;
    this.problems = problems;
    this.retryAfter = retryAfter;
  }
}

/** Ask the service; a busy one is asked again a few times. */
export async function request(path, { method = "GET", json = null, form = null, headers = {}, signal = null } = {}) {
  const sent = { ...headers };
  if (token()) sent.Authorization = `Bearer ${token()}`;
  if (json !== null) sent["Content-Type"] = "application/json";
  for (let turn = 0; ; turn += 1) {
    let response;
    try {
      response = await fetch(path, { method, headers: sent, body: json === null ? form : JSON.stringify(json), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal(0, "The service does not answer. Is it still running, and is this device still connected?");
    }
    if (response.ok) return response;
    const refusal = await read(response);
    if ((refusal.status !== 429 && refusal.status !== 503) || turn === 4) throw refusal;
    await new Promise((wake) => setTimeout(wake, 1000 * (refusal.retryAfter ?? 1) * (turn + 1)));
  }
}

async function read(response) {
  let body = {};
  try { body = await response.json(); } catch { /* a proxy in between may answer in its own words */ }
  const detail = body.detail || `The service answered ${response.status} ${response.statusText}.`;
  return new Refusal(response.status, detail, body.problems, Number(response.headers.get("Retry-After")) || null);
}

export async function get(path) {
  return (await request(path)).json();
}

export async function send(method, path, json, headers = {}) {
  return (await request(path, { method, json, headers })).json();
}

/** Post a form; values that are lists are repeated, empty ones are left out. */
export async function post(path, values, signal = null, headers = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") form.append(name, one);
    }
  }
  return request(path, { method: "POST", form, signal, headers });
}

/** Fill an image with a picture of the service; a token cannot be sent by the image itself. */
export async function show(image, path, options = null) {
  image.classList.remove("lost");
  if (!token() && !options) { image.src = path; return; }
  try {
    const response = await request(path, options ?? {});
    const address = URL.createObjectURL(await response.blob());
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    image.src = address;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    image.classList.add("lost");
    image.alt = error.message;
    throw error;
  }
}

/** Fill an image with a picture that somebody chose; one that cannot be shown is marked. */
export function showFile(image, file) {
  const address = URL.createObjectURL(file);
  image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.addEventListener("error", () => { URL.revokeObjectURL(address); image.classList.add("lost"); }, { once: true });
  image.src = address;
}
