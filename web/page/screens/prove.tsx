/** Prove: this device against exact arithmetic, this page against the command line, this training against itself. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CheckedOperation, Compared, GivenFile, Proof, TrainedAgain } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { chooseFiles, DropZone } from './given-files.js';
import { Button, CommandLine, Icon, type IconName } from './parts.js';
import { isBusy, useStore, useView } from './state.js';
import { RunChooser } from './runs.js';

/** Rows of the comparison that are shown; the worst come first. */
const MOST_ROWS = 500;

type Checked = Awaited<ReturnType<Proof['gradcheck']>>;

export function ProveScreen(): JSX.Element {
  const model = useView((state) => state.model);
  const [compared, setCompared] = useState<Compared | null>(null);
  useEffect(() => setCompared(null), [model?.weightsHash]);
  return (
    <div class="column prove">
      <div class="toolbar">
        <p class="quiet">{words.prove.intro}</p>
        <span class="spacer" />
        <RunChooser />
      </div>
      <div class="three">
        <DeviceCheck />
        <Comparison compared={compared} onCompared={setCompared} />
        <Again />
      </div>
      {compared && <ComparedTable compared={compared} />}
    </div>
  );
}

const Card = ({
  icon,
  title,
  text,
  children,
}: {
  icon: IconName;
  title: string;
  text: string;
  children: ComponentChildren;
}): JSX.Element => (
  <section class="card proof" aria-label={title}>
    <h2>
      <Icon name={icon} /> {title}
    </h2>
    <p class="quiet">{text}</p>
    {children}
  </section>
);

const Result = ({ passed, children }: { passed: boolean; children: ComponentChildren }): JSX.Element => (
  <p class={`result ${passed ? 'good' : 'bad'}`} role="status">
    <Icon name={passed ? 'check' : 'close'} />
    <span>{children}</span>
  </p>
);

function DeviceCheck(): JSX.Element {
  const store = useStore();
  const training = useView((state) => state.training);
  const [running, setRunning] = useState(false);
  const [seen, setSeen] = useState<readonly CheckedOperation[]>([]);
  const [checked, setChecked] = useState<Checked | null>(null);
  useEffect(() => store.engine.on('check', (check) => setSeen((before) => [...before, check])), [store]);
  const start = async (): Promise<void> => {
    setSeen([]);
    setChecked(null);
    setRunning(true);
    setChecked(await store.attempt(() => store.engine.proof.gradcheck()));
    setRunning(false);
  };
  const failed = checked?.checks.filter(({ passed }) => !passed) ?? [];
  const worst = checked?.checks.reduce((most, one) => (one.error > most.error ? one : most));
  return (
    <Card icon="chip" title={words.prove.gpu} text={words.prove.gpuWords}>
      {running ? (
        <div class="row">
          <span role="status">{format.plural(seen.length, 'check')} …</span>
          <Button icon="stop" onClick={() => void store.attempt(() => store.engine.proof.stop())}>
            {words.prove.stop}
          </Button>
        </div>
      ) : (
        <Button icon="play" disabled={isBusy(training)} onClick={() => void start()}>
          {words.prove.gpuStart}
        </Button>
      )}
      {checked && (
        <>
          <Result passed={checked.passed}>
            {checked.passed
              ? words.prove.gpuPassed(checked.checks.length, checked.device)
              : words.prove.gpuFailed(failed.length, checked.checks.length, checked.device)}
          </Result>
          {worst && <p class="quiet">{words.prove.gpuWorst(worst.name, worst.error)}</p>}
        </>
      )}
      {(checked?.checks ?? seen).length > 0 && (
        <div class="scroll list" tabIndex={0} role="region" aria-label={words.prove.operation}>
          <table>
            <thead>
              <tr>
                <th scope="col">{words.prove.operation}</th>
                <th scope="col" class="number">
                  {words.prove.error}
                </th>
              </tr>
            </thead>
            <tbody>
              {(checked?.checks ?? seen)
                .toSorted((a, b) => Number(a.passed) - Number(b.passed) || b.error - a.error)
                .slice(0, 60)
                .map(({ name, passed, error }, at) => (
                  <tr key={at} class={passed ? '' : 'bad'}>
                    <td>{name}</td>
                    <td class="number">{passed ? format.percent(error, 0) : words.prove.failed}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

function Comparison({
  compared,
  onCompared,
}: {
  compared: Compared | null;
  onCompared: (compared: Compared | null) => void;
}): JSX.Element {
  const store = useStore();
  const model = useView((state) => state.model);
  const [busy, setBusy] = useState(false);
  /** The table alone, or a run's folder, in which it is. */
  const compare = async (given: readonly GivenFile[]): Promise<void> => {
    const named = (ending: string): Blob | undefined => given.find(({ path }) => path.endsWith(ending))?.file;
    const table = named('predictions.csv') ?? named('.csv');
    if (!table) return;
    setBusy(true);
    onCompared(await store.attempt(() => store.engine.proof.compare(table, named('pictures.jsonl'))));
    setBusy(false);
  };
  return (
    <Card icon="files" title={words.prove.compare} text={words.prove.compareWords}>
      {model === null ? (
        <p class="remark">{words.prove.needModel}</p>
      ) : (
        <DropZone class="small" onFiles={(given) => void compare(given)}>
          <strong>{words.prove.compareDrop}</strong>
          <Button icon="file" disabled={busy} onClick={() => void chooseFiles({ accept: '.csv' }).then(compare)}>
            {busy ? words.work.judging : words.prove.compareChoose}
          </Button>
        </DropZone>
      )}
      {compared && (
        <>
          <Result passed={compared.passed}>
            {compared.passed
              ? words.prove.comparePassed(compared.pictures.length, compared.tolerance)
              : words.prove.compareFailed(compared.tolerance)}
          </Result>
          <p class="quiet">{words.prove.worst(compared.worstDifference)}</p>
          {compared.onlyThere.length > 0 && (
            <p class="quiet" title={compared.onlyThere.slice(0, 20).join('\n')}>
              {words.prove.onlyThere(compared.onlyThere.length)}
            </p>
          )}
          {compared.onlyHere.length > 0 && (
            <p class="quiet" title={compared.onlyHere.slice(0, 20).join('\n')}>
              {words.prove.onlyHere(compared.onlyHere.length)}
            </p>
          )}
        </>
      )}
    </Card>
  );
}

function ComparedTable({ compared }: { compared: Compared }): JSX.Element {
  const rows = compared.pictures.toSorted((a, b) => b.difference - a.difference).slice(0, MOST_ROWS);
  const pixels = (here: string, there: string | null): string =>
    there === null ? words.prove.pixelsUnknown : here === there ? words.prove.pixelsEqual : words.prove.pixelsDiffer;
  return (
    <div class="scroll grow" tabIndex={0} role="region" aria-label={words.prove.differences}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.prove.picture}</th>
            {compared.classNames.map((name) => (
              <th scope="col" class="number" key={name}>
                {name}: {words.prove.here}
              </th>
            ))}
            {compared.classNames.map((name) => (
              <th scope="col" class="number" key={name}>
                {name}: {words.prove.there}
              </th>
            ))}
            <th scope="col" class="number">
              {words.prove.difference}
            </th>
            <th scope="col">{words.prove.pixels}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ id, file, here, there, difference, pixelsHere, pixelsThere }) => (
            <tr key={id}>
              <td class="long">{file}</td>
              {here.map((value, at) => (
                <td class="number" key={at}>
                  {value.toFixed(6)}
                </td>
              ))}
              {there.map((value, at) => (
                <td class="number" key={at}>
                  {value.toFixed(6)}
                </td>
              ))}
              <td class={`number ${difference > compared.tolerance ? 'bad' : 'good'}`}>
                {format.difference(difference)}
              </td>
              <td class={pixelsThere !== null && pixelsHere !== pixelsThere ? 'bad' : ''} title={pixelsHere}>
                {pixels(pixelsHere, pixelsThere)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Again(): JSX.Element {
  const store = useStore();
  const model = useView((state) => state.model);
  const training = useView((state) => state.training);
  const [running, setRunning] = useState(false);
  const [again, setAgain] = useState<TrainedAgain | null>(null);
  useEffect(() => setAgain(null), [model?.weightsHash]);
  const start = async (): Promise<void> => {
    setRunning(true);
    setAgain(await store.attempt(() => store.engine.proof.trainAgain()));
    setRunning(false);
  };
  const hash = (title: string, value: string): JSX.Element => (
    <div class="hash">
      <span class="quiet">{title}</span>
      <code>{value}</code>
    </div>
  );
  return (
    <Card icon="train" title={words.prove.again} text={words.prove.againWords}>
      {model === null ? (
        <p class="remark">{words.prove.needModel}</p>
      ) : (
        <>
          {running ? (
            <div class="row">
              <span role="status">{words.train.phases.running} …</span>
              <Button icon="stop" onClick={() => void store.attempt(() => store.engine.proof.stop())}>
                {words.prove.stop}
              </Button>
            </div>
          ) : (
            <Button icon="play" disabled={isBusy(training)} onClick={() => void start()}>
              {words.prove.againStart}
            </Button>
          )}
          {hash(words.prove.hash, model.weightsHash)}
        </>
      )}
      {again && (
        <>
          {hash(words.prove.hashAgain, again.weightsHash)}
          {again.equal === null ? (
            <p class="remark">{words.prove.notReproducible}</p>
          ) : (
            <Result passed={again.equal}>{again.equal ? words.prove.equal : words.prove.unequal}</Result>
          )}
          <CommandLine line={again.command} />
        </>
      )}
    </Card>
  );
}
