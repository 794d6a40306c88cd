import { useId } from "react";

interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  show: (v: number) => string;
  onChange: (v: number) => void;
}

export function Slider({ label, value, min, max, step, show, onChange }: Props) {
  const id = useId();
  return (
    <div className="slider">
      <label htmlFor={id}>{label}</label>
      <output htmlFor={id}>{show(value)}</output>
      <input id={id} type="range" min={min} max={max} step={step} value={value} aria-valuetext={show(value)} onChange={(e) => onChange(Number(e.target.value))} />
    </div>
  );
}
