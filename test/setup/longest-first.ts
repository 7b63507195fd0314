/** The order of the test files: those that take longest begin, so that at the end of the run no core waits for another. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By their time on two cores; vitest itself knows sizes of files, and times only where it has run before. */
const longest = [
  ...['kernels/twins', 'page/engine', 'faults/output', 'golden/golden', 'cli/commands', 'cli/data'],
  ...['page/screens', 'faults/resume', 'package', 'examples/browser', 'cli/failures', 'cli/export'],
  ...['cli/shards', 'cli/report', 'page/journey', 'classifier/base', 'classifier/warm-start', 'cli/search'],
].map((name) => `/test/${name}.test.ts`);

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longest.findIndex((path) => moduleId.endsWith(path));
  return at === -1 ? longest.length : at;
};

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files); // oxlint-disable-line unicorn/no-array-sort -- vitest's
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
