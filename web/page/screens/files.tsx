/** In and out: models, runs and whole projects, as files that the command line and other programs read and write. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ModelFormat, NamedBlob, ProjectState } from '../engine/protocol.js';
import { words } from '../strings.js';
import { Ask } from './app.js';
import { chooseFiles, download, DropZone } from './given-files.js';
import { Button, NameForm } from './parts.js';
import { isBusy, useStore, useView } from './state.js';
import { RunChooser } from './runs.js';

export function FilesScreen(): JSX.Element {
  return (
    <div class="halves files">
      <Out />
      <div class="column">
        <In />
        <Project />
      </div>
    </div>
  );
}

function Out(): JSX.Element {
  const store = useStore();
  const model = useView((state) => state.model);
  const [packing, setPacking] = useState<string | null>(null);
  const take = async (name: string, make: () => Promise<NamedBlob>): Promise<void> => {
    setPacking(name);
    const file = await store.attempt(make);
    if (file) download(file);
    setPacking(null);
  };
  const row = (name: string, title: string, text: string, make: () => Promise<NamedBlob>): JSX.Element => (
    <li key={name}>
      <span>
        <strong>{title}</strong>
        <span class="quiet">{text}</span>
      </span>
      <Button
        icon="down"
        disabled={packing !== null}
        label={`${words.files.download}: ${title}`}
        onClick={() => void take(name, make)}
      >
        {packing === name ? words.files.downloading : words.files.download}
      </Button>
    </li>
  );
  const { files } = store.engine;
  return (
    <section class="card fill scrolls" aria-labelledby="out-title">
      <div class="toolbar">
        <h2 id="out-title">{words.files.out}</h2>
        <span class="spacer" />
        <RunChooser />
      </div>
      <p class="quiet">{model ? words.files.outWords : words.files.noModel}</p>
      {model && (
        <ul class="plain-list downloads">
          {(Object.entries(words.files.formats) as [ModelFormat, string[]][]).map(([format, [title, text]]) =>
            row(format, `${words.files.model}: ${title}`, text, () => files.exportModel(format)),
          )}
          {row('run', words.files.run, words.files.runWords, () => files.exportRun())}
          {row('predictions', words.files.predictions, words.files.predictionsWords, () => files.exportPredictions())}
          {row('report', words.files.report, words.files.reportWords, () => files.report())}
        </ul>
      )}
    </section>
  );
}

function In(): JSX.Element {
  const store = useStore();
  const training = useView((state) => state.training);
  const open = async (file: File | Blob | undefined, path = ''): Promise<void> => {
    if (!file) return;
    const { engine } = store;
    const fileName = path.split('/').at(-1) ?? '';
    const name = fileName.replace(/\.[^.]+$/, '');
    const taken = await store.switchTo(async () => {
      await store.needProject();
      return /\.zip$/i.test(path) ? engine.files.importRun(file, name) : engine.files.importModel(file, fileName);
    });
    if (taken) {
      store.notify({ tone: 'info', title: words.files.opened(name), text: '' });
      store.go('try');
    }
  };
  return (
    <section class="card" aria-labelledby="in-title">
      <h2 id="in-title">{words.files.in}</h2>
      <p class="quiet">{words.files.inWords}</p>
      <DropZone class="small" onFiles={([given]) => void open(given?.file, given?.path)}>
        <strong>{words.files.drop}</strong>
        <span class="quiet">{words.files.kinds}</span>
        <Button
          icon="file"
          disabled={isBusy(training)}
          onClick={() =>
            void chooseFiles({ accept: '.safetensors,.keras,.h5,.onnx,.zip' }).then(([given]) =>
              open(given?.file, given?.path),
            )
          }
        >
          {words.files.choose}
        </Button>
      </DropZone>
    </section>
  );
}

function Project(): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const save = async ({ id }: ProjectState): Promise<void> => {
    setBusy(true);
    const file = await store.attempt(() => store.engine.projects.saveFile(id));
    if (file) download(file);
    setBusy(false);
  };
  const open = async (): Promise<void> => {
    const [given] = await chooseFiles({ accept: '.zip' });
    if (given && (await store.switchTo(() => store.engine.projects.openFile(given.file)))) store.go('pictures');
  };
  return (
    <section class="card" aria-labelledby="project-title">
      <h2 id="project-title">{words.files.project}</h2>
      {project && (
        <NameForm
          key={`${project.id} ${project.name}`}
          value={project.name}
          label={words.project.name}
          act={words.project.rename}
          onName={(name) => void store.renameProject(project.id, name)}
        />
      )}
      <p class="quiet">{words.project.saveFileWords}</p>
      <div class="row wrap">
        {project && (
          <Button icon="down" kind="primary" disabled={busy} onClick={() => void save(project)}>
            {busy ? words.files.downloading : words.project.saveFile}
          </Button>
        )}
        <Button icon="file" onClick={() => void open()}>
          {words.project.openFile}
        </Button>
        {project && (
          <Button icon="bin" kind="danger" disabled={isBusy(training)} onClick={() => setAsked(true)}>
            {words.project.remove}
          </Button>
        )}
      </div>
      {asked && project && (
        <Ask
          question={words.project.removeAsk(project.name)}
          onClose={() => setAsked(false)}
          act={() => void store.removeProject(project.id)}
        />
      )}
    </section>
  );
}
