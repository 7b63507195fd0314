/** The card of a model: what it is, on what it was trained, how good it is and how sure that is, and what it cannot do. */
import type { Figures } from '../alarm-figures.js';
import type { Evidence } from '../evidence.js';
import type { IntervalOrReason } from '../figures/intervals.js';

export interface CardSet {
  readonly pictures: number;
  readonly classes: Readonly<Record<string, number>>;
  /** SHA-256 of all its pixels as the model sees them, picture behind picture. */
  readonly pixels: string;
}

/** What pictures were for. */
export type CardSetName = 'training' | 'validation' | 'test';

/** What was chosen on pictures that are not among those that trained. */
export interface CardChoice {
  readonly what: string;
  readonly by: string;
  readonly on: string;
}

export interface CardParity {
  readonly passed: boolean;
  readonly pictures: number;
  readonly tolerance: number;
  /** One line for each way to compute, in words. */
  readonly ways: readonly { readonly way: string; readonly worstDifference: number; readonly passed: boolean }[];
}

export interface CardFigures extends Pick<Figures, 'accuracy' | 'classes' | 'alert'> {
  /** Of which set they are. */
  readonly set: CardSetName;
  readonly pictures: number;
  /** Without the pictures that were wrong: predictions.csv has all. */
  readonly evidence: Omit<Evidence, 'mistakes'> | null;
  readonly mistakes: number;
  /** Pictures without a verdict. */
  readonly unjudged: number;
  /** Pictures unlike the training's, for models that can tell. */
  readonly unknown?: number;
}

export interface ModelCard {
  readonly format: 'beltnet-card';
  readonly version: 1;
  readonly model: {
    readonly file: string;
    /** Of the weights alone; see `weightsHash`. */
    readonly weights: string;
    readonly parameters: number;
    readonly layers: number;
    readonly input: { readonly width: number; readonly height: number };
    readonly classes: readonly string[];
    readonly base: { readonly name: string; readonly hash: string } | null;
  };
  readonly alert: {
    readonly class: string;
    readonly threshold: number;
    /** Null where nobody chose it. */
    readonly reason: string | null;
    readonly chosenOn: string | null;
    readonly cannotKnow: readonly string[];
    /** 1 unless the probabilities were calibrated. */
    readonly temperature: number;
  };
  readonly data: {
    readonly directory: string;
    readonly layout: string;
    readonly sets: Readonly<Partial<Record<CardSetName, CardSet>>>;
    readonly skipped: number;
  };
  readonly training: {
    readonly command: string;
    readonly started: string;
    readonly seed: number;
    readonly epochs: number | null;
    readonly bestEpoch: number | null;
    readonly device: string;
    /** Whether it can be trained again to the same bits on any machine. */
    readonly reproducible: boolean;
  };
  readonly software: {
    readonly beltnet: string;
    readonly node: string;
    readonly platform: string;
    /** SHA-256 of the program's kernels and of what runs them. */
    readonly kernels: string;
  };
  readonly figures: CardFigures;
  readonly choices: readonly CardChoice[];
  readonly parity: CardParity | null;
  readonly warnings: readonly string[];
}

/** Holds for every model of this kind. */
const LIMITS = [
  'It always names one of its classes, also for a picture of something else; unless it is said below that it tells unknown pictures, nothing tells them.',
  'Its figures hold for pictures like those on which they were taken: the same camera, light, product and place.',
  'Pictures of one belt or one shift resemble each other: figures on them are better than those of another day will be, unless --group-by kept them apart.',
];

/** 0 % and 100 % only where it is exactly that. */
const percent = (part: number): string =>
  part === 0 || part === 1 ? `${100 * part} %` : `${(100 * part).toFixed(part > 0.995 || part < 0.005 ? 2 : 1)} %`;

const interval = (given: IntervalOrReason | undefined): string => {
  if (given === undefined) return '';
  return 'reason' in given
    ? ` (no interval: ${given.reason})`
    : ` (95 %: ${percent(given.low)} to ${percent(given.high)})`;
};

const WORTH: Readonly<Record<CardSetName, string>> = {
  test: 'the test pictures, which neither trained the model nor chose anything',
  validation:
    'the validation pictures, which did not train the model but chose what is said below: a little better than the truth',
  training: 'the pictures that trained it: no evidence for others',
};

/** Text of the user's, such as a class or a folder, as text in Markdown. */
const plain = (text: string): string => text.replace(/[\\`*{}[\]<>#|]/g, String.raw`\$&`).replace(/\s+/g, ' ');
const code = (text: string): string => {
  const line = text.replace(/\s+/g, ' ');
  return line.includes('`') ? `\`\` ${line} \`\`` : `\`${line}\``;
};
const table = (header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] => [
  ...[`| ${header.join(' | ')} |`, `| ${header.map(() => '---').join(' | ')} |`],
  ...rows.map((row) => `| ${row.join(' | ')} |`),
];
const list = (lines: readonly string[]): string[] => lines.map((line) => `- ${line}`);
const section = (title: string, lines: readonly string[]): string[] =>
  lines.length > 0 ? [`## ${title}`, '', ...lines, ''] : [];

function figureLines({ figures, alert }: ModelCard): string[] {
  const { evidence, classes, accuracy, pictures, mistakes, unjudged, unknown } = figures;
  const { missed, falseAlarms, pictures: alerts, threshold } = figures.alert;
  const others = pictures - alerts;
  const name = plain(alert.class);
  return [
    `Of ${pictures} pictures; they are ${WORTH[figures.set]}.`,
    '',
    ...list([
      `Right: ${percent(accuracy)}${interval(evidence?.accuracy)}; who takes every picture for the most frequent class has ${percent(evidence?.majorityAccuracy ?? 0)}. ${mistakes} wrong.`,
      alerts === 0
        ? `Missed: nobody knows, none of these pictures shows ${name}.`
        : `Missed: ${missed} of ${alerts} pictures of ${name}${interval(evidence?.missRate)}, at a threshold of ${threshold}.`,
      `False alarms: ${falseAlarms} of ${others} other pictures${interval(evidence?.falseAlarmRate)}.`,
      ...(evidence
        ? [
            `The probabilities' Brier score is ${evidence.brierScore.toFixed(4)}, their expected calibration error ${evidence.expectedCalibrationError.toFixed(4)} (0 is perfect).`,
          ]
        : []),
      ...(evidence && evidence.distinctPictures < pictures
        ? [`Only ${evidence.distinctPictures} of these pictures differ; the intervals count copies once.`]
        : []),
      ...(unjudged > 0 ? [`${unjudged} pictures had no verdict, since their scores were no numbers.`] : []),
      ...(unknown === undefined ? [] : [`${unknown} of them are unlike the training's (unknown).`]),
    ]),
    '',
    ...table(
      ['class', 'pictures', 'right', 'precision', 'recall'],
      Object.entries(classes)
        .filter(([, { pictures: of }]) => of > 0)
        .map(([each, { pictures: of, correct, precision, recall }]) => [
          plain(each),
          of,
          correct,
          percent(precision),
          percent(recall),
        ]),
    ),
  ];
}

/** The card for people. */
export function cardMarkdown(card: ModelCard): string {
  const { model, alert, data, training, software, choices, parity, warnings, figures } = card;
  const tells = figures.unknown !== undefined;
  return [
    `# ${model.classes.map(plain).join(' or ')}: the card of this model`,
    '',
    `It looks at a picture and says which of these it shows. The alarm is for __${plain(alert.class)}__: it is raised when the probability of that class is ${alert.threshold} or more.`,
    '',
    ...section('How good it is', figureLines(card)),
    ...section('Beware', list(warnings.map(plain))),
    ...section(
      'What it cannot do',
      list([...LIMITS, ...(tells ? ['It tells pictures that are unlike those of its training (unknown).'] : [])]),
    ),
    ...section(
      'What was chosen, and on which pictures',
      list([
        ...choices.map(({ what, by, on }) => `${what}: by ${plain(by)}, on ${plain(on)}`),
        alert.reason === null
          ? `Threshold: nobody chose it, it is the ${alert.threshold} that every model begins with; \`beltnet threshold\` chooses one by costs.`
          : `Threshold: ${plain(alert.reason)}, on ${plain(alert.chosenOn ?? 'pictures that are not told')}.`,
        ...alert.cannotKnow.map((each) => `About the threshold nobody can know: ${plain(each)}`),
        ...(alert.temperature === 1
          ? []
          : [`Probabilities are calibrated: temperature ${alert.temperature.toPrecision(4)}.`]),
      ]),
    ),
    ...section('What it was trained on', [
      `${code(data.directory)}: ${plain(data.layout)}.`,
      '',
      ...table(
        ['pictures for', 'number', 'classes', 'hash of all pixels (SHA-256)'],
        Object.entries(data.sets).map(([name, { pictures, classes, pixels }]) => [
          ...[name, pictures],
          Object.entries(classes)
            .map(([each, count]) => `${plain(each)} ${count}`)
            .join(', '),
          code(pixels),
        ]),
      ),
      ...(data.skipped > 0 ? ['', `${data.skipped} files could not be used and were left out.`] : []),
    ]),
    ...section('How it was made', [
      ...list([
        `Command: ${code(training.command)}`,
        `Begun ${training.started}, seed ${training.seed}${training.epochs === null ? '' : `, ${training.epochs} epochs, of which number ${training.bestEpoch} is this model`}.`,
        `Device: ${plain(training.device)}.`,
        training.reproducible
          ? 'It can be trained again to the same bits on any machine: `beltnet verify RUN --retrain`.'
          : 'It can be trained again to the same bits on the same device and driver only (`train --reproducible` makes models for which any machine will do).',
        `Network: ${model.layers} layers, ${model.parameters} parameters, pictures of ${model.input.width}x${model.input.height}.`,
        ...(model.base ? [`Features of ${plain(model.base.name)} (${code(model.base.hash)}).`] : []),
        `beltnet ${software.beltnet}, Node ${software.node}, ${software.platform}.`,
      ]),
    ]),
    ...section('By what it is known', [
      ...table(
        ['what', 'SHA-256'],
        [
          [`weights of ${model.file}`, code(model.weights)],
          ['kernels that computed it', code(software.kernels)],
        ],
      ),
      '',
      '`beltnet verify` computes these and the figures again; record.jsonl says what was done to the model since.',
    ]),
    ...section('The same everywhere?', parityLines(parity)),
  ].join('\n');
}

function parityLines(parity: CardParity | null): string[] {
  if (parity === null) return ['Not looked at: `beltnet parity MODEL FOLDER` compares what devices and exports say.'];
  const { passed, pictures, tolerance, ways } = parity;
  return [
    `${passed ? 'Yes' : '__No__'}: ${pictures} pictures, probabilities within ${tolerance} of those in float64.`,
    '',
    ...table(
      ['computed by', 'largest difference', 'verdict'],
      ways.map(({ way, worstDifference, passed: isGood }) => [
        plain(way),
        worstDifference === 0 ? '0' : worstDifference.toExponential(1),
        isGood ? 'ok' : '__differs__',
      ]),
    ),
  ];
}
