/** The page's frame: steps, project, device, notices, and the screen that is looked at. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { format, words } from '../strings.js';
import { FilesScreen } from './files.js';
import { Choice } from './fields.js';
import { droppedFiles } from './given-files.js';
import { Button, Dialog, Icon, Menu, type IconName } from './parts.js';
import { addGiven } from './adding.js';
import { EXAMPLE, PicturesScreen } from './pictures.js';
import { ProveScreen } from './prove.js';
import { isBusy, screens, useStore, useView, type Screen } from './state.js';
import { TrainScreen } from './train.js';
import { TryScreen } from './try.js';

const shown: Readonly<Record<Screen, () => JSX.Element>> = {
  pictures: PicturesScreen,
  train: TrainScreen,
  try: TryScreen,
  prove: ProveScreen,
  files: FilesScreen,
};

export function App(): JSX.Element {
  const screen = useView((state) => state.screen);
  const ready = useView((state) => state.ready);
  const isWelcome = useView(
    (state) => state.screen === 'pictures' && (state.project?.classes.length ?? 0) === 0 && state.pictures.length === 0,
  );
  const store = useStore();
  useEffect(() => {
    document.title = `${words.screens[screen]} · ${words.name}`;
  }, [screen]);
  useEffect(() => {
    // What is dropped beside a place for it must not replace the page.
    const over = (event: DragEvent): void => event.preventDefault();
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      if (event.dataTransfer?.types.includes('Files') && store.state.screen === 'pictures')
        void droppedFiles(event.dataTransfer).then((files) => addGiven(store, files));
    };
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
    };
  }, [store]);
  const Shown = shown[screen];
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => (event.preventDefault(), document.querySelector<HTMLElement>('main')?.focus())}
      >
        {words.skip}
      </a>
      <header class="top">
        <span class="brand">
          <img src="./icon.svg" alt="" width="26" height="26" /> {words.name}
        </span>
        <ProjectMenu />
        <Steps />
        <DeviceMenu />
      </header>
      <Notices />
      <main id="main" tabIndex={-1}>
        {!isWelcome && <h1 class="hidden">{words.screens[screen]}</h1>}
        {ready ? (
          <Shown key={screen} />
        ) : (
          <p class="quiet waiting" role="status">
            {words.loading}
          </p>
        )}
      </main>
      <Progress />
    </>
  );
}

function Steps(): JSX.Element {
  const screen = useView((state) => state.screen);
  const pictures = useView((state) => state.pictures.length);
  const training = useView((state) => state.training);
  const icons: Readonly<Record<Screen, IconName>> = {
    pictures: 'pictures',
    train: 'train',
    try: 'try',
    prove: 'prove',
    files: 'files',
  };
  const said: Partial<Record<Screen, string>> = {
    ...(pictures > 0 && { pictures: format.count(pictures) }),
    ...(isBusy(training) && training.epochs > 0 && { train: `${training.epoch}/${training.epochs}` }),
  };
  return (
    <nav aria-label={words.steps}>
      {screens.map((name) => (
        <a key={name} href={`#${name}`} aria-current={name === screen ? 'page' : undefined}>
          <Icon name={icons[name]} />
          <span>{words.screens[name]}</span>
          {said[name] && <small>{said[name]}</small>}
        </a>
      ))}
    </nav>
  );
}

function ProjectMenu(): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const projects = useView((state) => state.projects);
  return (
    <Menu label={words.project.menu} button={<span class="project-name">{project?.name ?? words.project.none}</span>}>
      {(close) => (
        <>
          {projects.length > 0 && <h3>{words.project.yours}</h3>}
          <ul class="plain-list">
            {projects.map(({ id, name, pictures, runs }) => (
              <li key={id}>
                <button
                  type="button"
                  class="item"
                  aria-current={id === project?.id ? 'true' : undefined}
                  onClick={() => {
                    close();
                    void store.switchTo(() => store.engine.projects.open(id));
                  }}
                >
                  <strong>{name}</strong>
                  <span class="quiet">
                    {format.plural(id === project?.id ? store.state.pictures.length : pictures, 'picture')},{' '}
                    {format.plural(id === project?.id ? project.runs.length : runs, 'training')}
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <Button
            icon="folder"
            onClick={() => {
              close();
              void store
                .switchTo(() => store.engine.projects.create(words.project.untitled))
                .then(() => store.go('pictures'));
            }}
          >
            {words.project.start}
          </Button>
          <Button
            icon="belt"
            onClick={() => {
              close();
              void store
                .switchTo(() => store.engine.projects.createExample({ pictures: EXAMPLE }))
                .then(() => store.go('pictures'));
            }}
          >
            {words.pictures.example}
          </Button>
        </>
      )}
    </Menu>
  );
}

function DeviceMenu(): JSX.Element {
  const store = useStore();
  const device = useView((state) => state.device);
  const storage = useView((state) => state.storage);
  const training = useView((state) => state.training);
  const [asked, setAsked] = useState<'auto' | 'webgpu' | 'cpu'>('auto');
  const choose = async (name: 'auto' | 'webgpu' | 'cpu'): Promise<void> => {
    const chosen = await store.attempt(() => store.engine.machine.chooseDevice(name));
    if (chosen === null) return;
    setAsked(name);
    store.set({ device: chosen });
  };
  const short =
    device === null ? '…' : device.kind === 'webgpu' ? words.device.webgpu : words.device.cpu(device.threads);
  return (
    <Menu
      label={words.device.title}
      button={
        <>
          <Icon name="chip" />
          <span class="device-name">{short}</span>
        </>
      }
    >
      {() => (
        <>
          <h3>{words.device.title}</h3>
          <p>{device?.adapter?.name ?? device?.name ?? words.device.asking}</p>
          {device && <p class="quiet">{device.reason}</p>}
          {device && device.kind === 'cpu' && !device.crossOriginIsolated && (
            <p class="remark">{words.device.oneThread}</p>
          )}
          {device && !device.hasWebGpu && <p class="remark">{words.device.noWebGpu}</p>}
          <Choice
            label={words.device.choose}
            value={asked}
            choices={Object.entries(words.device.choices) as [typeof asked, string][]}
            onChange={(name) => void choose(name)}
            disabled={isBusy(training)}
          />
          {storage && (
            <>
              <p class="quiet">
                {storage.kind === 'memory'
                  ? words.device.memory
                  : `${words.device.storage(storage.used, storage.quota)} ${storage.persisted ? words.device.persisted : words.device.notPersisted}`}
              </p>
              {storage.kind === 'kept' && !storage.persisted && (
                <Button
                  onClick={() =>
                    void store.attempt(async () => store.set({ storage: await store.engine.machine.persist() }))
                  }
                >
                  {words.device.persist}
                </Button>
              )}
            </>
          )}
          <p class="quiet">{words.local}</p>
        </>
      )}
    </Menu>
  );
}

function Notices(): JSX.Element {
  const store = useStore();
  const notices = useView((state) => state.notices);
  const storage = useView((state) => state.storage);
  const warning = storage?.kind === 'memory' ? words.device.memory : (storage?.warning ?? null);
  return (
    <div class="notices">
      {warning && (
        <div class="notice warning" role="status">
          <p>{warning}</p>
        </div>
      )}
      {notices.map(({ id, tone, title, text, lines = [], act }) => (
        <div key={id} class={`notice ${tone}`} role={tone === 'error' ? 'alert' : 'status'}>
          <p>
            <strong>{text !== '' && !/[.!?]$/.test(title) ? `${title}.` : title}</strong>
            {text && <> {text}</>}
          </p>
          {lines.length > 0 && (
            <ul>
              {lines.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          )}
          {act && (
            <Button
              onClick={() => {
                store.dismiss(id);
                act.run();
              }}
            >
              {act.label}
            </Button>
          )}
          <Button icon="close" kind="quiet" label={words.dismiss} onClick={() => store.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}

function Progress(): JSX.Element {
  const work = useView((state) => state.work);
  return (
    <div class="progress" role="status">
      {work && (
        <p>
          <span>{words.work[work.work]}</span>
          <progress value={work.done} max={work.total} aria-label={words.work[work.work]} />
          <span class="quiet">{words.of(work.done, work.total)}</span>
        </p>
      )}
    </div>
  );
}

/** Asks before what cannot be undone. */
export function Ask({
  question,
  act,
  onClose,
}: {
  question: string;
  act: () => void;
  onClose: () => void;
}): JSX.Element {
  return (
    <Dialog title={question} onClose={onClose}>
      <div class="row end">
        <Button onClick={onClose}>{words.cancel}</Button>
        <Button
          kind="danger"
          icon="bin"
          onClick={() => {
            onClose();
            act();
          }}
        >
          {words.project.remove}
        </Button>
      </div>
    </Dialog>
  );
}
