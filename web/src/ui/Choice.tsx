import type { ReactNode } from "react";

interface Option { value: string; label: ReactNode; hint?: ReactNode; extra?: ReactNode }

interface Props {
  name: string;
  legend: ReactNode;
  options: Option[];
  value: string;
  onChange: (v: string) => void;
  look?: "pills" | "cards" | "cards two" | "segments" | "swatches";
  hideLegend?: boolean;
}

// Choice is a group of radio buttons that look like what they choose. Arrow keys
// move within the group, as the platform has it.
export function Choice({ name, legend, options, value, onChange, look = "pills", hideLegend }: Props) {
  return (
    <fieldset className={`choice ${look}`}>
      <legend className={hideLegend ? "visually-hidden" : "label"}>{legend}</legend>
      <div className="choice-row">
        {options.map((o) => (
          <div className="option" key={o.value}>
            <label>
              <input type="radio" name={name} value={o.value} checked={value === o.value} onChange={() => onChange(o.value)} />
              <span className="face">
                {o.label}
                {o.hint && <small>{o.hint}</small>}
              </span>
            </label>
            {o.extra}
          </div>
        ))}
      </div>
    </fieldset>
  );
}
