/** The help of every command has examples, and they name nothing that is not there. */
import { expect, test } from 'vitest';
import { createProgram } from '../../cli/program.js';

const names = (await createProgram([], () => {})).commands.map((command) => command.name());

test.each(names)('%s', async (name) => {
  const program = await createProgram([name], () => {});
  const command = program.commands.find((each) => each.name() === name)!;
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  const examples = /\nExamples?:\n((?: {2}.*\n)+)/.exec(help)?.[1].trimEnd().split('\n') ?? [];
  expect(examples.length).toBeGreaterThan(0);
  const flags = command.options.flatMap(({ long, short }) => [long, short]);
  for (const example of examples) {
    const [, words] = new RegExp(`^  (?:.* \\| )?beltnet ${name}\\b(.*)$`).exec(example)!;
    for (const flag of words.match(/(?<= )--?[a-z][\w-]*/g) ?? []) expect(flags).toContain(flag);
  }
});
