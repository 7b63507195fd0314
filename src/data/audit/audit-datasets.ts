/** The audit of sets that are loaded, as it is made before a training. */
import { expectArray } from '../../expect.js';
import { expectDataset, type Dataset } from '../dataset.js';
import { audit } from './audit.js';
import { readFacts } from './picture-facts.js';
import type { AuditedSet, AuditReport } from './report.js';

/** Equal for equal digests. */
export const digestText = (digest: Uint8Array): string => String.fromCharCode(...digest);

/** Above so many pictures the short audit looks for equal files only: near duplicates would take seconds. */
const MOST_FOR_NEAR = 20_000;

/**
 * Nothing is decoded again: what the audit looks at was noted when the pictures were.
 *
 * @param others what is to choose or to judge: none of it should be among the training's
 */
export async function auditDatasets(training: Dataset, others: readonly Dataset[]): Promise<AuditReport> {
  expectDataset(training, 'auditDatasets: training');
  expectArray(others, 'auditDatasets: others');
  for (const other of others) expectDataset(other, 'auditDatasets: another');
  const datasets = [training, ...others];
  const total = datasets.reduce((sum, { labels }) => sum + labels.length, 0);
  return audit(
    datasets.map((dataset, index) =>
      auditedSet(dataset, index, datasets.filter(({ name }) => name === dataset.name).length > 1),
    ),
    total > MOST_FOR_NEAR ? { near: null } : {},
  );
}

function auditedSet(dataset: Dataset, index: number, sameName: boolean): AuditedSet {
  const { records, files, labels, classNames, skipped } = dataset;
  const pictures = !records
    ? []
    : files.map((file, at) => ({
        file,
        label: labels[at],
        digest: digestText(records.digest(at)),
        facts: readFacts(records.facts(at)),
      }));
  const role = index === 0 ? 'training' : 'validation';
  return { name: sameName ? `${dataset.name} (${role})` : dataset.name, role, classNames, pictures, skipped };
}
