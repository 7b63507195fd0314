/** Pictures: what the classes are, and what is in them. */
import type { JSX } from 'preact';
import { useCallback, useMemo, useState } from 'preact/hooks';
import type { PictureUse } from '../../../src/index.js';
import type { Added, Audited, GivenFile, PictureEntry, PictureId } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { Camera } from './camera.js';
import { chooseFiles, Button, Dialog, DropZone, Icon, Menu, NameForm } from './parts.js';
import { useStore, useView, type Store } from './state.js';
import { Thumbnails } from './thumbnails.js';

const accept = '.jpg,.jpeg,.png,.bmp,image/jpeg,image/png,image/bmp';
/** Pictures of the example: seconds to make, and enough to train on. */
export const EXAMPLE = 200;
/** Refused files that are named; of the others there is a number. */
const NAMED = 5;

/** Adds files to the project, which is made where there is none, and tells what could not be used. */
export async function addGiven(store: Store, files: readonly GivenFile[], className?: string): Promise<void> {
  if (files.length === 0) return;
  await store.attempt(async () => {
    await store.needProject();
    tellAdded(store, await store.engine.pictures.add(files, className));
  });
  await store.loadPictures();
}

export function tellAdded(store: Store, { ids, refused }: Added): void {
  if (ids.length > 0) store.notify({ tone: 'info', title: words.pictures.added(ids.length), text: '' });
  if (refused.length > 0)
    store.notify({
      tone: 'warning',
      title: words.pictures.refused(refused.length),
      text: refused.length > NAMED ? words.pictures.refusedMore(refused.length - NAMED) : '',
      lines: refused.slice(0, NAMED).map(({ path, reason }) => (reason.includes(path) ? reason : `${path}: ${reason}`)),
    });
}

export function PicturesScreen(): JSX.Element {
  const hasPictures = useView((state) => state.pictures.length > 0);
  const hasClasses = useView((state) => (state.project?.classes.length ?? 0) > 0);
  const [camera, setCamera] = useState(false);
  if (camera) return <Collecting onClose={() => setCamera(false)} />;
  return hasPictures || hasClasses ? (
    <Gallery onCamera={() => setCamera(true)} />
  ) : (
    <Welcome onCamera={() => setCamera(true)} />
  );
}

function Welcome({ onCamera }: { onCamera: () => void }): JSX.Element {
  const store = useStore();
  const way = (
    icon: 'folder' | 'camera' | 'belt',
    title: string,
    text: string,
    act: () => void,
    kind = '',
  ): JSX.Element => (
    <button type="button" class={`way ${kind}`} onClick={act}>
      <Icon name={icon} />
      <strong>{title}</strong>
      <span class="quiet">{text}</span>
    </button>
  );
  return (
    <DropZone class="welcome" onFiles={(files) => void addGiven(store, files)}>
      <h1>{words.pictures.emptyTitle}</h1>
      <p>{words.pictures.emptyWords}</p>
      <div class="ways">
        {way(
          'folder',
          words.pictures.dropFolders,
          words.pictures.dropFoldersWords,
          () => void chooseFiles({ folder: true }).then((files) => addGiven(store, files)),
        )}
        {way('camera', words.pictures.camera, words.pictures.cameraWords, onCamera)}
        {way(
          'belt',
          words.pictures.example,
          words.pictures.exampleWords,
          () => void store.switchTo(() => store.engine.projects.createExample({ pictures: EXAMPLE })),
        )}
      </div>
      <p class="quiet">{words.local}</p>
    </DropZone>
  );
}

interface Filter {
  readonly className: string | null;
  readonly part: PictureUse | null;
  /** Of a finding. */
  readonly ids: ReadonlySet<PictureId> | null;
  readonly title: string | null;
}
const everything: Filter = { className: null, part: null, ids: null, title: null };

function Gallery({ onCamera }: { onCamera: () => void }): JSX.Element {
  const store = useStore();
  const pictures = useView((state) => state.pictures);
  const project = useView((state) => state.project);
  const [filter, setFilter] = useState(everything);
  const [selected, setSelected] = useState<ReadonlySet<PictureId>>(new Set());
  const [enlarged, setEnlarged] = useState<PictureEntry | null>(null);
  const visible = useMemo(
    () =>
      pictures.filter(
        ({ id, class: name, part }) =>
          (filter.className === null || name === filter.className) &&
          (filter.part === null || part === filter.part) &&
          (filter.ids === null || filter.ids.has(id)),
      ),
    [pictures, filter],
  );
  const remove = useCallback(
    async (ids: readonly PictureId[]) => {
      await store.attempt(() => store.engine.pictures.remove(ids));
      setSelected(new Set());
      await store.loadPictures();
      store.notify({
        tone: 'info',
        title: words.pictures.removed(ids.length),
        text: '',
        act: {
          label: words.undo,
          run: () => void store.attempt(() => store.engine.pictures.restore()).then(() => store.loadPictures()),
        },
      });
    },
    [store],
  );
  return (
    <DropZone class="split pictures" onFiles={(files) => void addGiven(store, files, filter.className ?? undefined)}>
      <aside>
        <Classes filter={filter} onFilter={setFilter} onCamera={onCamera} />
        <Health onShow={(ids, title) => setFilter({ ...everything, ids, title })} />
      </aside>
      <section class="card fill" aria-label={words.pictures.grid}>
        <div class="toolbar">
          <h2>
            {filter.title ?? filter.className ?? words.pictures.allPictures}{' '}
            <small>{format.count(visible.length)}</small>
          </h2>
          {filter !== everything && (
            <Button kind="quiet" onClick={() => setFilter(everything)}>
              {words.pictures.all}
            </Button>
          )}
          <label class="inline">
            <span class="hidden">{words.pictures.filter}</span>
            <select
              value={filter.part ?? ''}
              onChange={(event) =>
                setFilter({ ...filter, part: (event.currentTarget.value || null) as PictureUse | null })
              }
            >
              <option value="">{words.pictures.all}</option>
              {Object.entries(words.pictures.parts).map(([part, name]) => (
                <option key={part} value={part}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <span class="spacer" />
          {selected.size > 0 && (
            <Selection
              ids={[...selected]}
              classNames={project?.classes.map(({ name }) => name) ?? []}
              onRemove={(ids) => void remove(ids)}
              onDone={() => setSelected(new Set())}
            />
          )}
        </div>
        {visible.length === 0 ? (
          <p class="quiet centre">{words.pictures.nothingShown}</p>
        ) : (
          <Thumbnails
            pictures={visible}
            selected={selected}
            onSelect={setSelected}
            onOpen={setEnlarged}
            onRemove={(ids) => void remove(ids)}
          />
        )}
        <p class="quiet foot">
          {selected.size > 0 ? words.pictures.selected(selected.size) : words.pictures.selectHelp}
        </p>
      </section>
      {enlarged && <Enlarged picture={enlarged} onClose={() => setEnlarged(null)} />}
    </DropZone>
  );
}

function Selection(props: {
  readonly ids: readonly PictureId[];
  readonly classNames: readonly string[];
  readonly onRemove: (ids: readonly PictureId[]) => void;
  readonly onDone: () => void;
}): JSX.Element {
  const store = useStore();
  const act = async (action: () => Promise<void>): Promise<void> => {
    await store.attempt(action);
    await store.loadPictures();
    props.onDone();
  };
  return (
    <>
      <select
        aria-label={words.pictures.moveTo}
        value=""
        onChange={(event) => {
          const name = event.currentTarget.value;
          event.currentTarget.value = '';
          if (name !== '') void act(() => store.engine.pictures.move(props.ids, name));
        }}
      >
        <option value="">{words.pictures.moveTo} …</option>
        {props.classNames.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label={words.pictures.useFor}
        value=""
        onChange={(event) => {
          const part = event.currentTarget.value;
          event.currentTarget.value = '';
          if (part !== '')
            void act(() => store.engine.pictures.setPart(props.ids, part === 'rule' ? null : (part as PictureUse)));
        }}
      >
        <option value="">{words.pictures.useFor} …</option>
        {Object.entries(words.pictures.parts).map(([part, name]) => (
          <option key={part} value={part}>
            {name}
          </option>
        ))}
        <option value="rule">{words.pictures.byRule}</option>
      </select>
      <Button icon="bin" kind="danger" onClick={() => props.onRemove(props.ids)}>
        {words.pictures.remove}
      </Button>
    </>
  );
}

function Classes({
  filter,
  onFilter,
  onCamera,
}: {
  filter: Filter;
  onFilter: (filter: Filter) => void;
  onCamera: () => void;
}): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const pictures = useView((state) => state.pictures);
  const classes = project?.classes ?? [];
  const most = Math.max(1, ...classes.map(({ pictures: amount }) => amount));
  const names = classes.map(({ name }) => name);
  const alarm = project?.settings.alertClass ?? names.toSorted()[1] ?? null;
  const into = filter.className;
  const addTo = async (folder: boolean): Promise<void> => {
    const files = await chooseFiles({ folder, multiple: true, accept });
    await addGiven(store, files, folder ? undefined : (into ?? undefined));
  };
  const [renamed, setRenamed] = useState<string | null>(null);
  const rename = async (name: string, next: string): Promise<void> => {
    setRenamed(null);
    if (next === '' || next === name) return;
    await store.attempt(() => store.engine.pictures.renameClass(name, next));
    onFilter(everything);
    await store.loadPictures();
  };
  const raise = async (name: string): Promise<void> => {
    const changed = await store.attempt(() => store.engine.projects.configure({ alertClass: name }));
    if (changed) store.set({ project: changed });
  };
  const trainable = classes.filter(({ pictures: amount }) => amount > 0).length >= 2;
  return (
    <section class="card classes" aria-labelledby="classes-title">
      <h2 id="classes-title">{words.pictures.classes}</h2>
      <ul class="plain-list">
        {classes.map(({ name, pictures: amount }) => (
          <li key={name} class={filter.className === name ? 'chosen' : ''}>
            <button
              type="button"
              class="item"
              aria-pressed={filter.className === name}
              onClick={() => onFilter(filter.className === name ? everything : { ...everything, className: name })}
            >
              <span class="class-name">{name}</span>
              <span class="amount">{format.count(amount)}</span>
              <span class="share" style={{ '--part': String(amount / most) }} />
            </button>
            <Button
              icon="bell"
              kind="quiet"
              class="bell"
              pressed={alarm === name}
              label={words.pictures.alarmOf(name)}
              onClick={() => void raise(name)}
            />
            <Button icon="pen" kind="quiet" label={words.pictures.rename(name)} onClick={() => setRenamed(name)} />
          </li>
        ))}
      </ul>
      <div class="row">
        <Menu
          label={words.pictures.add}
          button={
            <>
              <Icon name="pictures" />
              <span>{words.pictures.add}</span>
            </>
          }
        >
          {(close) => (
            <>
              <Button icon="folder" onClick={() => (close(), void addTo(true))}>
                {words.pictures.addFolder}
              </Button>
              <Button icon="file" onClick={() => (close(), void addTo(false))}>
                {words.pictures.addFiles}
              </Button>
              <p class="quiet">{into === null ? words.pictures.dropHere : words.pictures.dropInto(into)}</p>
            </>
          )}
        </Menu>
        <Button icon="camera" onClick={onCamera}>
          {words.camera.title}
        </Button>
      </div>
      <Button
        kind="primary"
        icon="train"
        disabled={!trainable || pictures.length === 0}
        onClick={() => store.go('train')}
      >
        {words.pictures.ready}
      </Button>
      {!trainable && <p class="quiet">{words.pictures.needTwo}</p>}
      {renamed !== null && (
        <Dialog title={words.pictures.renameTo(renamed)} onClose={() => setRenamed(null)}>
          <NameForm
            value={renamed}
            label={words.pictures.renameTo(renamed)}
            act={words.project.rename}
            onName={(next) => void rename(renamed, next)}
          />
        </Dialog>
      )}
    </section>
  );
}

function Health({ onShow }: { onShow: (ids: ReadonlySet<PictureId>, title: string) => void }): JSX.Element {
  const store = useStore();
  const pictures = useView((state) => state.pictures);
  const [audited, setAudited] = useState<Audited | null>(null);
  const [busy, setBusy] = useState(false);
  const look = async (): Promise<void> => {
    setBusy(true);
    setAudited(await store.attempt(() => store.engine.pictures.audit()));
    setBusy(false);
    await store.loadPictures();
  };
  const kinds = new Map<string, PictureEntry['badges'][number]>();
  for (const { badges } of pictures) for (const badge of badges) kinds.set(badge.kind, badge);
  const findings = audited?.findings ?? [...kinds.values()];
  return (
    <section class="card health" aria-labelledby="health-title">
      <div class="toolbar">
        <h2 id="health-title">{words.pictures.health}</h2>
        <Button kind="quiet" disabled={busy} onClick={() => void look()}>
          {busy ? words.pictures.auditing : words.pictures.audit}
        </Button>
      </div>
      {findings.length === 0 && audited && <p class="good">{words.pictures.healthy}</p>}
      <ul class="plain-list findings">
        {findings.map(({ kind, severity, message, advice }, at) => {
          const ids = new Set(
            audited
              ? audited.ids[at].flat()
              : pictures.filter(({ badges }) => badges.some((badge) => badge.kind === kind)).map(({ id }) => id),
          );
          return (
            <li key={`${kind} ${message}`}>
              <span class={`chip ${severity}`}>{kind}</span>
              <p>{message}</p>
              <p class="quiet">{advice}</p>
              {ids.size > 0 && (
                <Button kind="quiet" onClick={() => onShow(ids, kind)}>
                  {words.pictures.show(ids.size)}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Enlarged({ picture, onClose }: { picture: PictureEntry; onClose: () => void }): JSX.Element {
  const store = useStore();
  const [url, setUrl] = useState<string | null>(null);
  useMemo(() => {
    void store
      .attempt(() => store.engine.pictures.file(picture.id))
      .then((file) => file && setUrl(URL.createObjectURL(file.blob)));
  }, [picture.id]);
  return (
    <Dialog
      title={picture.file}
      wide
      onClose={() => {
        if (url) URL.revokeObjectURL(url);
        onClose();
      }}
    >
      {url && <img class={picture.width < 200 ? 'coarse' : ''} src={url} alt={picture.file} />}
      <p class="quiet">
        {picture.class} · {words.pictures.parts[picture.part]} ·{' '}
        {words.pictures.facts(picture.width, picture.height, picture.bytes)}
      </p>
      {picture.badges.map(({ kind, severity, message }) => (
        <p key={kind}>
          <span class={`chip ${severity}`}>{kind}</span> {message}
        </p>
      ))}
    </Dialog>
  );
}

/** The camera in place of the gallery, while pictures are collected. */
function Collecting({ onClose }: { onClose: () => void }): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const [added, setAdded] = useState<readonly string[]>([]);
  const names = [...new Set([...(project?.classes.map(({ name }) => name) ?? []), ...added])];
  const [counts, setCounts] = useState<Readonly<Record<string, number>>>({});
  const [holding, setHolding] = useState<string | null>(null);
  const record = async (frame: ImageBitmap): Promise<void> => {
    if (holding === null) return frame.close();
    const kept = await store.attempt(async () => {
      await store.needProject();
      return store.engine.pictures.addFrame(frame, holding);
    });
    if (kept === null) setHolding(null);
    else setCounts((before) => ({ ...before, [holding]: (before[holding] ?? 0) + kept.ids.length }));
    return undefined;
  };
  const hold = (className: string) => ({
    onPointerDown: (event: PointerEvent) => {
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      setHolding(className);
    },
    onPointerUp: () => setHolding(null),
    onPointerCancel: () => setHolding(null),
    onKeyDown: (event: KeyboardEvent) =>
      [' ', 'Enter'].includes(event.key) && (event.preventDefault(), setHolding(className)),
    onKeyUp: () => setHolding(null),
    onBlur: () => setHolding(null),
    onContextMenu: (event: Event) => event.preventDefault(),
  });
  return (
    <div class="split collecting">
      <section class="card fill">
        <div class="toolbar">
          <h2>{words.camera.title}</h2>
          <span class="spacer" />
          <Button icon="close" kind="quiet" label={words.close} onClick={onClose} />
        </div>
        <Camera perSecond={holding === null ? 0 : 4} onFrame={record} recording={holding !== null} withRegion />
      </section>
      <aside>
        <section class="card">
          <h2>{words.pictures.classes}</h2>
          {names.length === 0 && <p class="quiet">{words.camera.noClasses}</p>}
          <div class="holds">
            {names.map((each) => (
              <button
                key={each}
                type="button"
                class={`hold ${holding === each ? 'on' : ''}`}
                aria-label={words.camera.hold(each)}
                {...hold(each)}
              >
                <strong>{each}</strong>
                <span>
                  {holding === each || counts[each]
                    ? words.camera.recording(counts[each] ?? 0)
                    : words.camera.holdShort}
                </span>
              </button>
            ))}
          </div>
          <NameForm
            value=""
            label={words.pictures.newClassName}
            act={words.pictures.addClass}
            onName={(next) => setAdded([...added, next])}
          />
        </section>
      </aside>
    </div>
  );
}
