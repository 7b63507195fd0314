/** The runs of a project: a list of them, and a choice where there is none. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { words } from '../strings.js';
import { Ask } from './app.js';
import { Button, Icon } from './parts.js';
import { isBusy, useStore, useView } from './state.js';

/** The trainings of the project; the one that is looked at is what Try, Prove and In and out speak of. */
export function Runs(): JSX.Element | null {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  const [asked, setAsked] = useState<string | null>(null);
  if (!project || project.runs.length === 0) return null;
  return (
    <section class="card runs" aria-labelledby="runs-title">
      <h2 id="runs-title">{words.train.runs}</h2>
      <ul class="plain-list">
        {project.runs.map(({ name, what, best, imported }) => (
          <li key={name} class={name === project.run ? 'chosen' : ''}>
            <button
              type="button"
              class="item"
              aria-pressed={name === project.run}
              disabled={isBusy(training)}
              onClick={() => void store.switchTo(() => store.engine.projects.selectRun(name))}
            >
              <span class="class-name">{name}</span>
              <span class="amount">{best?.balancedAccuracy === undefined ? '' : best.balancedAccuracy.toFixed(3)}</span>
              <span class="quiet">{imported ? `${what}, ${words.train.imported}` : what}</span>
            </button>
            <Button
              icon="bin"
              kind="quiet"
              label={`${words.train.removeRun}: ${name}`}
              disabled={isBusy(training)}
              onClick={() => setAsked(name)}
            />
          </li>
        ))}
      </ul>
      {asked !== null && (
        <Ask
          question={words.train.removeRunAsk(asked)}
          onClose={() => setAsked(null)}
          act={() => void store.switchTo(() => store.engine.projects.removeRun(asked))}
        />
      )}
    </section>
  );
}

/** Which run is looked at, where there is no list of them. */
export function RunChooser(): JSX.Element | null {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  if (!project || project.runs.length < 2) return null;
  return (
    <label class="inline">
      <Icon name="train" />
      <select
        aria-label={words.train.run}
        value={project.run ?? ''}
        disabled={isBusy(training)}
        onChange={(event) => void store.switchTo(() => store.engine.projects.selectRun(event.currentTarget.value))}
      >
        {project.runs.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
