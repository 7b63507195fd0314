import type { Dataset } from '../../src/data/dataset.js';

/** `counts[c]` pictures of class c, 2×3 pixels each, filled with their own index. */
export function smallDataset(counts: readonly number[]): Dataset {
  const labels = Uint8Array.from(counts.flatMap((count, label) => Array.from({ length: count }, () => label)));
  return {
    name: 'small',
    pictures: Uint8Array.from({ length: labels.length * 18 }, (_, position) => Math.floor(position / 18) % 256),
    labels,
    classNames: counts.map((_, label) => `class${label}`),
    pictureShape: [2, 3, 3],
    files: Array.from(labels, (_, index) => `picture${index}`),
    skipped: [],
  };
}
