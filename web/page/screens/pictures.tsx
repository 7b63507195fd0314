/** Pictures: where they come from, and a gallery of them. */
import type { JSX } from 'preact';
import { useCallback, useMemo, useState } from 'preact/hooks';
import type { PictureUse } from '../../../src/index.js';
import type { PictureEntry, PictureId } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { addGiven } from './adding.js';
import { Classes, everything, Health } from './classes.js';
import { Collecting } from './collecting.js';
import { chooseFiles, DropZone } from './given-files.js';
import { Button, Dialog, Icon } from './parts.js';
import { useStore, useView } from './state.js';
import { Thumbnails } from './thumbnails.js';

/** Pictures of the example: seconds to make, and enough to train on. */
export const EXAMPLE = 200;

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
