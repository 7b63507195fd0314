/**
 * A command as data: what it takes, its flags, and what it does. The types of its options follow from its flags, and
 * program.ts makes Commander's form of it.
 */
import { Command, Option } from 'commander';
import { helpProse } from './help.js';
import { oneOf, type Parser } from './options.js';

/** An option of a command; its name is that of its key: `widthShift` is `--width-shift`. */
export interface Flag<Value> {
  readonly description: string;
  /** `<n>`; without, the flag is a switch. */
  readonly argument?: string;
  readonly parser?: (option: string) => Parser<Value>;
  readonly default?: Value;
  /** The default, as help shows it. */
  readonly written?: string;
  readonly choices?: readonly string[];
  readonly short?: string;
  readonly required?: boolean;
  /** Another flag that it cannot stand beside. */
  readonly conflicts?: string;
  /** What `--no-…` does: the value is false then. */
  readonly negation?: string;
}

interface Extras<Value> {
  readonly default?: Value;
  readonly written?: string;
  readonly choices?: readonly string[];
  readonly short?: string;
  readonly required?: true;
}

/** A flag with a value. Where it may be left out and has no default, it may be undefined. */
export function flag<Value>(
  argument: string,
  description: string,
  parser: (option: string) => Parser<Value>,
  extras: Extras<Value> & ({ readonly default: Value } | { readonly required: true }),
): Flag<Value>;
export function flag<Value>(
  argument: string,
  description: string,
  parser: (option: string) => Parser<Value>,
  extras?: Extras<Value>,
): Flag<Value | undefined>;
export function flag<Value>(
  argument: string,
  description: string,
  parser: (option: string) => Parser<Value>,
  extras: Extras<Value> = {},
): Flag<Value> {
  return { argument, description, parser, ...extras };
}

/** A flag without a value: false unless it is given. */
export const toggle = (description: string, extras: { readonly conflicts?: string } = {}): Flag<boolean> => ({
  description,
  ...extras,
});

/** One of some words, the first by default. */
export const choice = <const Word extends string>(
  argument: string,
  description: string,
  choices: readonly Word[],
): Flag<Word> => ({
  argument,
  description,
  choices,
  default: choices[0],
  written: choices[0],
  parser: (option) => oneOf(option, choices),
});

export type Flags = Readonly<Record<string, Flag<never>>>;

/** What `run` is given. */
export type Options<Of> = { readonly [Name in keyof Of]: Of[Name] extends Flag<infer Value> ? Value : never };

export interface CommandDefinition<Of> {
  /** What follows the command's name, and what it is: `<dir>`, `[dir]`, `<paths...>`. */
  readonly operands: Readonly<Record<string, string>>;
  readonly flags: Of;
  /** Headings for help, with the flags below each, where there are many. */
  readonly groups?: Readonly<Record<string, readonly (keyof Of & string)[]>>;
  /** What help says below the flags. */
  readonly notes?: string;
  readonly examples: readonly string[];
  /**
   * @param given names of the options that stand on the command line
   * @returns the exit code
   */
  run(
    this: void,
    operands: readonly string[],
    options: Options<Of>,
    given: readonly (keyof Of & string)[],
  ): Promise<number>;
}

/** Says nothing more than its argument; `options` get their types by it. */
export const defineCommand = <const Of>(definition: CommandDefinition<Of>): CommandDefinition<Of> => definition;

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function commanderOptions(name: string, of: Flag<unknown>): Option[] {
  const long = `--${kebab(name)}`;
  const { short, argument, description, parser, default: byDefault, written, choices, conflicts, required } = of;
  const option = new Option(`${short ? `-${short}, ` : ''}${long}${argument ? ` ${argument}` : ''}`, description);
  if (choices) option.choices(choices); // for the help; the parser takes its place
  if (parser) option.argParser(parser(long));
  if (byDefault !== undefined && argument !== undefined) option.default(byDefault, written);
  if (conflicts !== undefined) option.conflicts(conflicts);
  if (required) option.makeOptionMandatory();
  return of.negation === undefined ? [option] : [new Option(`--no-${kebab(name)}`, of.negation), option];
}

/** Gives Commander's command the operands, flags, help and action of a definition. */
export function addDefinition(
  command: Command,
  { operands, flags, groups = {}, notes = '', examples, run }: CommandDefinition<Record<string, Flag<unknown>>>,
  finish: (exitCode: number) => void,
): void {
  for (const [operand, description] of Object.entries(operands)) command.argument(operand, description);
  for (const [name, each] of Object.entries(flags))
    for (const option of commanderOptions(name, each)) {
      const [heading] = Object.entries(groups).find(([, names]) => names.includes(name)) ?? [];
      command.addOption(heading === undefined ? option : option.helpGroup(`${heading}:`));
    }
  command.addHelpText('after', () => {
    const lines = examples.map((line) => `  ${line}\n`).join('');
    return `${notes === '' ? '' : `\n${helpProse(notes, command)}\n`}\n${examples.length > 1 ? 'Examples' : 'Example'}:\n${lines}`;
  });
  command.action(async () => {
    const switches = Object.entries(flags).filter(([, { argument }]) => argument === undefined);
    const off = Object.fromEntries(switches.map(([name]) => [name, false]));
    const given = Object.keys(flags).filter((name) => command.getOptionValueSource(name) === 'cli');
    const words = command.processedArgs.flat().filter((one) => one !== undefined) as string[];
    finish(await run(words, { ...off, ...command.opts() }, given));
  });
}
