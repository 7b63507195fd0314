/** What settings are made with. */
import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

/** One of a few; arrow keys move, as among radio buttons. */
export function Choice<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly choices: readonly (readonly [value: Value, words: string])[];
  readonly onChange: (value: Value) => void;
  readonly disabled?: boolean;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choice" disabled={props.disabled}>
      <legend class="hidden">{props.label}</legend>
      {props.choices.map(([value, text]) => (
        <label key={value}>
          <input type="radio" name={name} checked={value === props.value} onChange={() => props.onChange(value)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

export const Field = ({
  label,
  unit,
  children,
}: {
  label: string;
  unit?: string;
  children: ComponentChildren;
}): JSX.Element => (
  <label class="field">
    <span>{label}</span>
    <span class="value">
      {children}
      {unit && <span class="unit">{unit}</span>}
    </span>
  </label>
);

/** A number with limits; what is typed counts when it is one. */
export const NumberField = (props: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number | 'any';
  readonly unit?: string;
  readonly disabled?: boolean;
  readonly onChange: (value: number) => void;
}): JSX.Element => (
  <Field label={props.label} {...(props.unit !== undefined && { unit: props.unit })}>
    <input
      type="number"
      value={props.value}
      min={props.min}
      max={props.max}
      step={props.step ?? 1}
      disabled={props.disabled}
      onChange={(event) => {
        const value = event.currentTarget.valueAsNumber;
        if (Number.isFinite(value)) props.onChange(Math.min(props.max, Math.max(props.min, value)));
        event.currentTarget.value = String(
          Number.isFinite(value) ? Math.min(props.max, Math.max(props.min, value)) : props.value,
        );
      }}
    />
  </Field>
);

export const Toggle = (props: {
  readonly label: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (checked: boolean) => void;
}): JSX.Element => (
  <label class="toggle">
    <input
      type="checkbox"
      checked={props.checked}
      disabled={props.disabled}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
    />
    <span>{props.label}</span>
  </label>
);

export const Slider = (props: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly shown: string;
  readonly disabled?: boolean;
  readonly onInput: (value: number) => void;
}): JSX.Element => (
  <label class="control">
    <span>
      {props.label} <output>{props.shown}</output>
    </span>
    <input
      type="range"
      min={props.min}
      max={props.max}
      step={props.step ?? 1}
      value={props.value}
      disabled={props.disabled}
      aria-label={props.label /* an output can be labelled, too, and stands first in the label */}
      aria-valuetext={props.shown}
      onInput={(event) => props.onInput(event.currentTarget.valueAsNumber)}
    />
  </label>
);
