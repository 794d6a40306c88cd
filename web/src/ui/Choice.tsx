import { type ReactNode, useEffect, useRef } from "react";

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
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // In a row that scrolls, what is chosen is in sight from the start.
    const el = row.current;
    const chosen = el?.querySelector<HTMLElement>("input:checked")?.closest<HTMLElement>(".option");
    if (el && chosen) el.scrollLeft = chosen.offsetLeft - (el.clientWidth - chosen.clientWidth) / 2;
  }, [options.length]);
  return (
    <fieldset className={`choice ${look}`}>
      <legend className={hideLegend ? "visually-hidden" : "label"}>{legend}</legend>
      <div className="choice-row" ref={row}>
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
