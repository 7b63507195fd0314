/**
 * Labelled pictures on which a model must be no worse than the one whose place it takes. That it gives its stored verdicts again says only
 * that it computes what it computed; a network that was trained once more, on a queue of odd frames, may have unlearned the others.
 */
import type { NodeClassifier } from '../classifier/classifier.node.js';
import { classifyLabelled } from '../classifier/labelled-verdicts.node.js';
import { ModelFileError } from '../errors.js';

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
 * @param folder of labelled pictures, as of `classifyLabelled`
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
  const tried = { alerts: 0, others: 0, missed: 0, falseAlerts: 0 };
  for (const { path, isAlert, verdict } of await classifyLabelled(classifier, folder)) {
    if (verdict.inTraining)
      throw new ModelFileError(`${classifier.name}: expects pictures that it was not trained on, got ${path}`);
    tried[isAlert ? 'alerts' : 'others']++;
    if (verdict.alert !== isAlert) tried[isAlert ? 'missed' : 'falseAlerts']++;
  }
  return tried;
}
