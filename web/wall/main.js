/** The wall screen: the state of a line for people who stand five metres away. It never shows a state that it was not just told. */
import { drawHistory, remember } from './history.js';
import { drawRegions } from './regions.js';
import { faultName, signOf, words } from './signs.js';
import { headersOf, listen } from './stream.js';

const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const lost = find('lost');
const dialog = /** @type {HTMLDialogElement} */ (find('ask'));

// --- the token: in the address behind #, which no server is told, or typed in; kept for as long as this tab is open
const fromAddress = new URLSearchParams(location.hash.slice(1)).get('token');
if (fromAddress) {
  sessionStorage.setItem('token', fromAddress);
  history.replaceState(null, '', location.pathname);
}
const token = () => sessionStorage.getItem('token');

// --- being told

let heardAt = /** @type {Date | null} */ (null);
let beat = 1;
let view = /** @type {any} */ (null);
/** When it was told, by a clock that nobody sets, ms. */
let toldAt = 0;

/** Puts off the moment at which the style sheet says that the connection is lost. */
function stillHere() {
  heardAt = new Date();
  beat = 3 - beat;
  lost.dataset.beat = String(beat);
  lost.dataset.now = 'false';
}

void listen(
  'events',
  token,
  (name, data) => {
    stillHere();
    if (name === 'event') {
      remember(data);
      drawHistory(find('history'));
    } else if (name === 'view') {
      if (!view) drawHistory(find('history'));
      view = data;
      toldAt = performance.now();
      draw();
    }
  },
  ({ status, reason }) => {
    lost.dataset.now = 'true';
    const isRefused = status === 401;
    find('since').textContent = heardAt ? heardAt.toLocaleTimeString() : 'the page was opened';
    find('reason').textContent = isRefused ? 'The server wants a token.' : reason;
    find('enter-token').hidden = !isRefused;
    document.title = 'CONNECTION LOST';
  },
);

find('enter-token').onclick = async () => {
  const given = await ask({
    title: 'Token of this screen',
    wantsName: false,
    wantsToken: true,
    button: 'Show the line',
  });
  if (given?.token) {
    sessionStorage.setItem('token', given.token);
    location.reload();
  }
};

// --- drawing

function draw() {
  const { state, outputs, isBeating } = view;
  const lamp = isBeating ? state.lamp : 'no verdict';
  document.body.dataset.lamp = lamp;
  const regions = regionsOf(state);
  const isNew = regions.some(({ region }) => region.alarm.state === 'alarm');
  document.body.dataset.newAlarm = String(isNew && lamp === 'alarm');
  find('sign').innerHTML = signOf(lamp);
  find('word').textContent = words[lamp];
  find('why').textContent = isBeating ? whyOf(state, regions) : 'The line gives no sign of life. Look at the belt.';
  find('shadow').hidden = !state.shadow;
  document.title = `${words[lamp]}: beltnet`;
  drawRegions(find('regions'), regions, view, toldAt, {
    token,
    onAcknowledge: (camera, region) => void acknowledge(camera, region),
  });
  const shown = outputs.map(({ name, isThere, trouble }) => {
    const line = document.createElement('p');
    line.dataset.lamp = isThere && !trouble ? 'ok' : 'fault';
    line.textContent = isThere && !trouble ? `${name} ✓` : `${name}: ${trouble ?? 'does not answer'}`;
    return line;
  });
  find('outputs').replaceChildren(...shown);
}

const regionsOf = (state) =>
  Object.entries(state.cameras).flatMap(([camera, one]) =>
    Object.entries(one.regions).map(([name, region]) => ({
      camera,
      name,
      region,
      faults: [...one.faults, ...region.faults],
    })),
  );

/** The banner's second line: what is worst, where, and since when. */
function whyOf(state, regions) {
  const title = ({ camera, name }) => (name === 'all' ? camera : `${camera}, ${name}`);
  const alarms = regions.filter(({ region }) => region.alarm.state !== 'clear');
  if (alarms.length > 0) {
    const [first] = alarms.toSorted((a, b) => rank(a) - rank(b));
    const { alarm } = first.region;
    const others = alarms.length > 1 ? ` · and ${alarms.length - 1} more` : '';
    return `${title(first)}: ${alarm.reason} · since ${timeOf(alarm.since)}${others}`;
  }
  const faults = [
    ...state.faults.map((fault) => ({ where: 'Line', ...fault })),
    ...regions.flatMap((one) => one.faults.map((fault) => ({ where: title(one), ...fault }))),
  ];
  const silent = regions.filter(({ region }) => !region.lastVerdict);
  if (faults.length > 0) {
    const worst = faults.find(({ fault }) => fault === 'no-verdict') ?? faults[0];
    const others = new Set(faults.map(({ where, fault }) => where + fault)).size - 1;
    return `${worst.where}: ${faultName(worst.fault)}, ${worst.detail} · since ${timeOf(worst.since)}${others > 0 ? ` · and ${others} more` : ''}`;
  }
  if (silent.length > 0) return `${silent.map(title).join(', ')}: no verdict yet`;
  const cameras = Object.keys(state.cameras).length;
  return `${cameras} ${cameras === 1 ? 'camera' : 'cameras'}, ${regions.length} ${regions.length === 1 ? 'region' : 'regions'} watched`;
}

/** Alarms that nobody has acknowledged come first. */
const rank = ({ region }) => ['alarm', 'held', 'acknowledged'].indexOf(region.alarm.state);
const timeOf = (iso) => new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

// The clock is this screen's own: it says that the page lives, not that the line does.
const tick = () => {
  find('clock').textContent = new Date().toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  if (view && lost.dataset.now !== 'true') draw();
};
tick();
setInterval(tick, 1000);

// --- acknowledging

/** Who may acknowledge says a token; what is shown needs none on the machine itself. */
async function acknowledge(camera, region) {
  for (let problem = ''; ;) {
    const given = await ask({
      title: `Acknowledge ${region === 'all' ? camera : `${camera}, ${region}`}`,
      wantsName: true,
      wantsToken: true,
      button: 'Acknowledge',
      problem,
    });
    if (!given) return;
    const { who, token: typed } = given;
    const query = new URLSearchParams({ camera, region, who });
    try {
      const answer = await fetch(`acknowledge?${query}`, { method: 'POST', headers: headersOf(typed || token()) });
      if (answer.ok) {
        localStorage.setItem('who', who);
        return;
      }
      problem = answer.status === 401 ? 'This is not the token.' : (await answer.text()).trim();
    } catch {
      problem = 'The server cannot be reached.';
    }
  }
}

/** @returns what was typed, or null */
function ask({ title, wantsName, wantsToken, button, problem = '' }) {
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector('form'));
  const { who, token: typed } = /** @type {any} */ (form.elements);
  find('ask-title').textContent = title;
  find('ask-who').hidden = !wantsName;
  find('ask-token').hidden = !wantsToken;
  find('ask-ok').textContent = button;
  find('ask-problem').textContent = problem;
  who.value = wantsName ? (localStorage.getItem('who') ?? '') : '';
  typed.value = '';
  dialog.returnValue = 'cancel';
  dialog.showModal();
  (wantsName && who.value === '' ? who : typed).focus();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      resolve(dialog.returnValue === 'ok' ? { who: who.value.trim() || 'somebody', token: typed.value.trim() } : null);
      typed.value = '';
    };
  });
}
