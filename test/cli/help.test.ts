/** The help of every command has examples, and they name nothing that is not there. */
import { expect, test } from 'vitest';
import { createProgram } from '../../cli/program.js';

const names = (await createProgram([], () => {})).commands.map((command) => command.name());

const commandOf = async (name: string) => {
  const program = await createProgram([name], () => {});
  return program.commands.find((each) => each.name() === name)!;
};

test.each([40, 80, 120])('fits %i columns, but for what is to be pasted', async (columns) => {
  const program = await createProgram(['threshold'], () => {});
  for (const command of [program, program.commands.find((each) => each.name() === 'threshold')!]) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => columns }).outputHelp();
    const prose = help.split('\n').filter((line) => !/^Usage|^ +beltnet /.test(line));
    for (const line of prose) expect(line.length).toBeLessThanOrEqual(columns);
    expect(help.length).toBeGreaterThan(1500);
  }
});

test.each(names)('%s', async (name) => {
  const command = await commandOf(name);
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  const examples = /\nExamples?:\n((?: {2}.*\n)+)/.exec(help)?.[1].trimEnd().split('\n') ?? [];
  expect(examples.some((example) => example.includes(`beltnet ${name}`))).toBe(true);
  for (const example of examples) {
    const [, called, words] = /(?:^|[ |])beltnet (\w[\w-]*)(.*)$/.exec(example) ?? [];
    if (called === undefined) continue; // of another program: curl asks what is served
    const flags = (await commandOf(called)).options.flatMap(({ long, short }) => [long, short]);
    for (const flag of words.match(/(?<= )--?[a-z][\w-]*/g) ?? []) expect(flags).toContain(flag);
  }
});
