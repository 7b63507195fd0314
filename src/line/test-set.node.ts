/**
 * Labelled pictures on which a model must be no worse than the one whose place it takes. That it gives its stored verdicts again says only
 * that it computes what it computed; a network that was trained once more, on a queue of odd frames, may have unlearned the others.
 */
import type { FileClassification, NodeClassifier } from '../classifier/classifier.node.js';
import { listLabelled } from '../data/sources/splits.node.js';
import { DataError, ModelFileError } from '../errors.js';

/** What a model does with the pictures of a test. */
interface Tried {
  readonly alerts: number;
  readonly others: number;
  /** Pictures of the alert's class that raise no alert. */
  readonly missed: number;
  /** Others that raise one. */
  readonly falseAlerts: number;
}

/**
 * @param folder class folders or a manifest: of a divided set the training part, so that its test's folder is to be named
 * @returns how both did, in words
 * @throws ModelFileError for a model that misses more than the one before it, is wrong more often, or was trained on these pictures;
 *   DataError for pictures that cannot be used
 */
export async function expectNoWorse(next: NodeClassifier, before: NodeClassifier, folder: string): Promise<string> {
  const [now, then] = [await tryOn(next, folder), await tryOn(before, folder)];
  const told =
    `on ${folder} misses ${now.missed} of ${now.alerts} (the one before it ${then.missed}), ` +
    `${now.falseAlerts} false alerts of ${now.others} (${then.falseAlerts})`;
  if (now.missed > then.missed || now.missed + now.falseAlerts > then.missed + then.falseAlerts)
    throw new ModelFileError(
      `${next.name}: expects to be no worse than the model that it replaces, got one that ${told}`,
    );
  return told;
}

async function tryOn(classifier: NodeClassifier, folder: string): Promise<Tried> {
  const { className } = classifier.info.alert;
  const { files, classNames } = await listLabelled(folder);
  if (!classNames.includes(className))
    throw new DataError(`${folder}: expects the class '${className}' among its labels, got ${classNames.join(', ')}`);
  const results = new Map<string, FileClassification>();
  await classifier.classifyPaths(
    files.map(({ path }) => path),
    { onResult: (result) => results.set(result.file, result) },
  );
  const tried = { alerts: 0, others: 0, missed: 0, falseAlerts: 0 };
  for (const { path, label } of files) {
    const result = results.get(path);
    if (!result || 'error' in result) throw result?.error ?? new DataError(`${path}: has no verdict`);
    if (result.inTraining)
      throw new ModelFileError(`${classifier.name}: expects pictures that it was not trained on, got ${path}`);
    const isAlert = classNames[label] === className;
    tried[isAlert ? 'alerts' : 'others']++;
    if (result.alert !== isAlert) tried[isAlert ? 'missed' : 'falseAlerts']++;
  }
  return tried;
}
