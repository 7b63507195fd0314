/** What the classes are and how many pictures each has, and what is wrong with the pictures. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { PictureUse } from '../../../src/index.js';
import type { Audited, PictureEntry, PictureId } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { addGiven, accept } from './adding.js';
import { chooseFiles } from './given-files.js';
import { Button, Dialog, Icon, Menu, NameForm } from './parts.js';
import { useStore, useView } from './state.js';

/** What of the pictures is shown. */
export interface Filter {
  readonly className: string | null;
  readonly part: PictureUse | null;
  /** Of a finding. */
  readonly ids: ReadonlySet<PictureId> | null;
  readonly title: string | null;
}
export const everything: Filter = { className: null, part: null, ids: null, title: null };

export function Classes({
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

export function Health({ onShow }: { onShow: (ids: ReadonlySet<PictureId>, title: string) => void }): JSX.Element {
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
