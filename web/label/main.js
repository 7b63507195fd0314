/**
 * The queue of pictures that wait for a label: one picture large, a key for each class. Each label is written when it is given; what the
 * server has not confirmed is said, and the picture stays.
 */
import { byId, count, make, percent } from '../shared/dom.js';

/** For pictures that come while somebody labels, ms. */
const BETWEEN_LOOKS = 10_000;

let queue = { folder: '', table: '', classNames: [], pictures: [], token: '' };
/** The place of the picture that is shown. */
let at = 0;
/** Names of the pictures that were labelled here, the last one last. */
const history = [];
/** Named on the page. */
const added = [];
/** While a label is on its way no other is given. */
let isBusy = false;

const current = () => queue.pictures[at];
const classNames = () => [...new Set([...queue.classNames, ...added])];

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

async function look() {
  try {
    const next = await (await ask('queue.json')).json();
    const shown = current()?.file;
    queue = next;
    const place = queue.pictures.findIndex(({ file }) => file === shown);
    if (shown === undefined) at = firstOpen(0);
    else if (place >= 0) at = place;
    else at = firstOpen(Math.min(at, queue.pictures.length - 1));
    if (current()?.file !== shown || shown === undefined) void show();
    else showProgress();
    tell('');
  } catch (error) {
    tell(`The queue cannot be read: ${error.message}`);
  }
}

const tell = (trouble) => (byId('trouble').textContent = trouble);

/** The first picture without a label from a place on, from the beginning where there is none behind; past the end where there is none at all. */
function firstOpen(from) {
  const open = ({ label }) => label === null;
  const behind = queue.pictures.findIndex((picture, place) => place >= from && open(picture));
  if (behind >= 0) return behind;
  const before = queue.pictures.findIndex(open);
  return before >= 0 ? before : queue.pictures.length;
}

const urls = new Map();
/** Pictures as the page's own content: its policy loads no others. */
function pictureUrl({ file }) {
  if (!urls.has(file)) {
    const asked = ask(`picture?file=${encodeURIComponent(file)}`).then(async (answer) =>
      URL.createObjectURL(await answer.blob()),
    );
    asked.catch(() => urls.delete(file));
    urls.set(file, asked);
    if (urls.size > 12) {
      const [[old, made]] = urls;
      urls.delete(old);
      made.then((url) => URL.revokeObjectURL(url)).catch(() => {});
    }
  }
  return urls.get(file);
}

async function show() {
  showProgress();
  showClasses();
  const picture = current();
  const image = byId('picture');
  byId('message').hidden = picture !== undefined;
  byId('facts').replaceChildren(...(picture ? factsOf(picture) : []));
  byId('skip').disabled = picture === undefined;
  byId('back').disabled = at === 0;
  byId('undo').disabled = history.length === 0;
  if (!picture) {
    image.hidden = true;
    return showEnd();
  }
  try {
    const url = await pictureUrl(picture);
    if (current() !== picture) return;
    image.src = url;
    image.alt = `Picture ${picture.file}`;
    image.hidden = false;
    const next = queue.pictures[firstOpen(at + 1)];
    if (next && next !== picture) pictureUrl(next).catch(() => {});
  } catch (error) {
    image.hidden = true;
    tell(`The picture cannot be shown: ${error.message}`);
  }
}

const reasons = { unknown: 'unlike the training', uncertain: 'not sure' };

function factsOf({ class: taken, probability, unknown, reason, source, camera, region, time }) {
  const where = [camera ?? source, region].filter(Boolean).join(', ');
  const why = unknown ? reasons.unknown : (reasons[reason] ?? reason ?? '');
  const when = time === undefined || Number.isNaN(Date.parse(time)) ? '' : new Date(time).toLocaleString();
  const said = taken
    ? ['The model says ', make('b', {}, taken), probability === undefined ? '' : ` (${percent(probability, 0)})`]
    : [];
  return [
    ...said,
    [why, where, when]
      .filter(Boolean)
      .map((part) => ` · ${part}`)
      .join(''),
  ];
}

function showProgress() {
  const all = queue.pictures.length;
  const labelled = queue.pictures.filter(({ label }) => label !== null).length;
  byId('done').textContent = `${count(labelled)} of ${count(all)}`;
  byId('progress').max = Math.max(1, all);
  byId('progress').value = labelled;
  document.title = `${labelled}/${all} · beltnet label`;
}

function showClasses() {
  const picture = current();
  byId('classes').replaceChildren(
    ...classNames().map((name, place) =>
      make(
        'button',
        {
          type: 'button',
          disabled: picture === undefined,
          'aria-pressed': String(picture?.label === name),
          onclick: () => give(name),
        },
        ...(place < 9 ? [make('kbd', {}, String(place + 1)), ' '] : []),
        name,
      ),
    ),
  );
}

function showEnd() {
  const isEmpty = queue.pictures.length === 0;
  const open = queue.pictures.filter(({ label }) => label === null).length;
  if (open > 0) {
    const again = make('button', { type: 'button', onclick: () => ((at = firstOpen(0)), void show()) }, 'Look at them');
    byId('message').replaceChildren(make('h2', {}, `${count(open)} without a label`), again);
    again.focus();
    return;
  }
  byId('message').replaceChildren(
    make('h2', {}, isEmpty ? 'Nothing waits here' : 'All pictures have a label'),
    make(
      'p',
      {},
      isEmpty ? 'Pictures that the line sets aside appear by themselves.' : `The labels are in ${queue.table}.`,
    ),
    ...(isEmpty
      ? []
      : [
          make('p', {}, 'Put them to the pictures of the training, and train from the model that was not sure:'),
          make('code', {}, `beltnet label ${quoted(queue.folder)} --out belt/train`),
          make('code', {}, 'beltnet train belt --from RUN'),
        ]),
  );
}

const quoted = (text) => (/^[\w./:\\-]+$/.test(text) ? text : `"${text}"`);

async function write(file, label) {
  await ask('label', {
    method: 'POST',
    headers: { authorization: `Bearer ${queue.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ file, label }),
  });
  const picture = queue.pictures.find((each) => each.file === file);
  if (picture) picture.label = label;
}

/** Does one thing at a time; what goes wrong is said, and nothing moves on. */
async function alone(work) {
  if (isBusy) return;
  isBusy = true;
  try {
    await work();
    tell('');
  } catch (error) {
    tell(`The label is not written: ${error.message}`);
  } finally {
    isBusy = false;
  }
  void show();
}

function give(label) {
  const picture = current();
  if (!picture) return;
  void alone(async () => {
    await write(picture.file, label);
    history.push(picture.file);
    at = firstOpen(at + 1);
  });
}

function undo() {
  const file = history.at(-1);
  if (file === undefined) return;
  void alone(async () => {
    await write(file, null);
    history.pop();
    at = queue.pictures.findIndex((each) => each.file === file);
  });
}

function back() {
  at = Math.max(0, at - 1);
  void show();
}

/** To the next one without a label, and to the end behind the last. */
function skip() {
  const next = queue.pictures.findIndex(({ label }, place) => place > at && label === null);
  at = next < 0 ? queue.pictures.length : next;
  void show();
}

byId('back').addEventListener('click', back);
byId('skip').addEventListener('click', skip);
byId('undo').addEventListener('click', undo);
byId('more').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = byId('name').value.trim();
  byId('name').value = '';
  if (name === '' || classNames().includes(name)) return;
  added.push(name);
  showClasses();
  byId('classes').lastElementChild?.focus();
});
addEventListener('keydown', (event) => {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = classNames()[Number(event.key) - 1];
  if (event.key !== ' ' && name !== undefined) give(name);
  else if (event.key === 'ArrowRight' || event.key === 's') skip();
  else if (event.key === 'ArrowLeft') back();
  else if (event.key === 'z' || event.key === 'Backspace') undo();
  else return;
  event.preventDefault();
});

void look();
setInterval(() => void look(), BETWEEN_LOOKS);
