/** The outputs of a line, from its configuration: each by its name, which says of what kind it is, or by `kind`. */
import * as v from 'valibot';
import { UsageError } from '../../errors.js';
import { expectFunction, expectNumber, expectObject, expectText, listOf, objectWith, perhaps } from '../../expect.js';
import { preview } from '../../options.js';
import { withoutSecrets, type LineConfig } from '../config.js';
import type { OutputContext, WatchedOutput } from './watched-output.js';

/** Opens an output with settings that nobody has looked at. @param refuse makes the error of those that cannot be used */
type Open = (settings: unknown, context: OutputContext, refuse: (message: string) => Error) => Promise<WatchedOutput>;

function checked<Config>(
  schema: v.GenericSchema<unknown, Config>,
  open: (config: Config, context: OutputContext) => Promise<WatchedOutput>,
): Open {
  return async (settings, context, refuse) => {
    const { success, output, issues } = v.safeParse(schema, settings, { abortEarly: true });
    if (!success) throw refuse(inWords(issues[0], settings));
    return open(output, context);
  };
}

/** What says of what kind an output is loads it. */
const kinds: Readonly<Record<string, () => Promise<Open>>> = {
  async modbus() {
    const { modbusSchema, ModbusOutput } = await import('./modbus.node.js');
    return checked(modbusSchema, (config, context) => ModbusOutput.open(config, context));
  },
  async mqtt() {
    const { mqttSchema, MqttOutput } = await import('./mqtt.node.js');
    return checked(mqttSchema, (config, context) => MqttOutput.open(config, context));
  },
  async command() {
    const { commandSchema, CommandOutput } = await import('./command.node.js');
    return checked(commandSchema, (config, context) => Promise.resolve(new CommandOutput(config, context)));
  },
  async webhook() {
    const { webhookSchema, WebhookOutput } = await import('./webhook.node.js');
    return checked(webhookSchema, (config, context) => WebhookOutput.open(config, context));
  },
};

const expectConfig = objectWith({
  outputs: expectObject,
  secrets: listOf(expectText),
  heartbeatSeconds: expectNumber,
  record: perhaps(objectWith({ folder: expectText })),
});

/**
 * Opens what a line's configuration names in `outputs`: `startLine(config, { outputs: await openOutputs(config) })`.
 *
 * @param onProblem told in words what went wrong with which output, without secrets
 * @throws UsageError for settings that cannot be used, and for libraries that are not installed; nothing is open then
 */
export async function openOutputs(
  config: LineConfig,
  onProblem: (problem: string) => void = () => {},
): Promise<readonly WatchedOutput[]> {
  expectConfig(config, 'openOutputs: config');
  expectFunction(onProblem, 'openOutputs: onProblem');
  const { outputs, secrets, heartbeatSeconds, record } = config;
  const clean = (text: string): string => withoutSecrets(text, secrets);
  const open: WatchedOutput[] = [];
  try {
    for (const [name, { kind = name, ...settings }] of Object.entries(outputs)) {
      const load = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : null;
      if (!load)
        throw new UsageError(
          `outputs.${name}: expects kind to be ${Object.keys(kinds).join(', ')}, got ${preview(kind)}`,
        );
      const openOne = await load();
      const context: OutputContext = {
        name,
        clean,
        heartbeatSeconds,
        folder: record?.folder ?? null,
        onProblem: (problem) => onProblem(clean(`${name}: ${problem}`)),
      };
      open.push(await openOne(settings, context, (message) => new UsageError(clean(`outputs.${name}: ${message}`))));
    }
  } catch (error) {
    for (const each of open) await each.close();
    throw error;
  }
  return open;
}

/** What valibot found, in our words. */
function inWords(issue: v.BaseIssue<unknown>, given: unknown): string {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const path = keys.join('.') || 'the settings';
  if (issue.expected === 'never') return `${path} is no setting that is known`;
  if (issue.received === 'undefined') return `${path} is needed, and is not there`;
  const value = keys.reduce<unknown>((inside, key) => Object(inside)[key] as unknown, given);
  return `${path} expects ${issue.type === 'strict_object' ? 'an object' : issue.message}, got ${preview(value)}`;
}
