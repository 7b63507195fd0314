/** The regions of all cameras: lamp, last picture, and what is wrong. */
import { faultName, signOf, words } from './signs.js';
import { headersOf } from './stream.js';

/** Elements by camera and region, made once. */
const cards = new Map();
/** A picture is asked for so often at most, ms; and is shown as old after so long. */
const PICTURE_PERIOD = 1000;
const OLD = 5000;
/** While something is wrong it is asked for so often, ms. */
const FAULT_PERIOD = 5000;

/**
 * @param {HTMLElement} place
 * @param {any[]} regions
 * @param {any} view
 * @param {number} toldAt
 * @param {{ token: () => string | null, onAcknowledge: (camera: string, region: string) => void }} actions
 */
export function drawRegions(place, regions, view, toldAt, { token, onAcknowledge }) {
  const names = regions.map(({ camera, name }) => `${camera}/${name}`);
  if (place.dataset.names !== names.join()) {
    place.dataset.names = names.join();
    cards.clear();
    for (const { camera, name } of regions) cards.set(`${camera}/${name}`, makeCard(camera, name, onAcknowledge));
    place.replaceChildren(...[...cards.values()].map(({ card }) => card));
    // As near to the form of the room as whole columns come.
    place.style.setProperty('--columns', String(Math.ceil(Math.sqrt(regions.length * 0.9))));
  }
  for (const one of regions) {
    const parts = cards.get(`${one.camera}/${one.name}`);
    const { card, sign, word, detail, age, button } = parts;
    const { region, faults } = one;
    if (card.dataset.lamp !== region.lamp) {
      card.dataset.lamp = region.lamp;
      sign.innerHTML = signOf(region.lamp);
    }
    const { alarm, lastVerdict } = region;
    word.textContent = words[region.lamp];
    detail.textContent = detailOf(region, faults);
    const told = view.verdictAges[one.camera]?.[one.name];
    const milliseconds = told === undefined ? null : told + performance.now() - toldAt;
    age.textContent = milliseconds === null ? '' : `${inWords(milliseconds)} ago`;
    card.classList.toggle('is-old', milliseconds === null || milliseconds > OLD);
    button.hidden = alarm.state !== 'alarm' && alarm.state !== 'held';
    age.hidden = !button.hidden;
    // Frames with a fault have no verdict by which a new picture is known, and people want to see what is wrong.
    const look = faults.length > 0 ? Math.floor(performance.now() / FAULT_PERIOD) : '';
    if (lastVerdict || faults.length > 0)
      void showPicture(parts, one.camera, one.name, `${lastVerdict?.id} ${look}`, token());
  }
}

function makeCard(camera, name, onAcknowledge) {
  const make = (tag, className, ...children) => {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...children);
    return element;
  };
  const title = make('h3', '');
  title.textContent = name === 'all' ? camera : `${camera} · ${name}`;
  const sign = make('span', 'sign');
  sign.setAttribute('aria-hidden', 'true');
  const word = make('span', 'lamp-word');
  const image = document.createElement('img');
  image.alt = `The last picture of ${title.textContent}`;
  image.hidden = true;
  const empty = make('p', '');
  empty.textContent = 'No picture yet';
  const detail = make('p', 'detail');
  const age = make('span', 'age');
  const button = make('button', '');
  button.type = 'button';
  button.textContent = 'Acknowledge';
  button.onclick = () => onAcknowledge(camera, name);
  const card = make(
    'article',
    'region',
    make('header', '', sign, title, word),
    make('div', 'picture', empty, image),
    make('footer', '', detail, age, button),
  );
  return { card, sign, word, detail, age, button, image, empty, shown: '', askedAt: -Infinity, isAsking: false };
}

/** What is wrong, else what was last seen. */
function detailOf({ alarm, lastVerdict }, faults) {
  if (alarm.state !== 'clear') return alarm.reason;
  if (faults.length > 0) return faults.map(({ fault, detail }) => `${faultName(fault)}: ${detail}`).join(' · ');
  if (!lastVerdict) return 'No verdict yet';
  return `${lastVerdict.class} ${Math.round(100 * lastVerdict.probability)} %`;
}

function inWords(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** By fetch, which can say the token; the picture before stays until the new one is there. */
async function showPicture(parts, camera, region, of, token) {
  if (parts.isAsking || parts.shown === of || performance.now() - parts.askedAt < PICTURE_PERIOD) return;
  parts.isAsking = true;
  parts.askedAt = performance.now();
  try {
    const answer = await fetch(`picture?${new URLSearchParams({ camera, region })}`, { headers: headersOf(token) });
    if (!answer.ok) return;
    const url = URL.createObjectURL(await answer.blob());
    const before = parts.image.src;
    parts.image.src = url;
    parts.image.hidden = false;
    parts.empty.hidden = true;
    parts.shown = of;
    if (before) URL.revokeObjectURL(before);
  } catch {
    // The screen says by itself when nothing comes any more.
  } finally {
    parts.isAsking = false;
  }
}
