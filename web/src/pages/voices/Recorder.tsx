import { useEffect, useRef, useState } from "react";
import { check, type Finding, type Live, record, wav } from "../../audio/record";
import { formatSeconds, useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { Waveform } from "../../ui/Waveform";
import "../../styles/voices.css";

export interface Sample { file: File; findings: Finding[] }

interface Props {
  index: number;
  prompt?: string;
  maxSeconds?: number;
  sample: Sample | null;
  onSample: (s: Sample | null) => void;
}

export function Recorder({ index, prompt, maxSeconds = 30, sample, onSample }: Props) {
  const { t } = useI18n();
  const [state, setState] = useState<"idle" | "asking" | "recording">("idle");
  const [denied, setDenied] = useState("");
  const live = useRef<Live | null>(null);
  const meter = useRef<HTMLSpanElement>(null);
  const clock = useRef<HTMLSpanElement>(null);
  const bar = useRef<HTMLDivElement>(null);

  useEffect(() => () => live.current?.cancel(), []);
  useEffect(() => {
    if (state !== "recording") return;
    let frame = 0;
    const draw = () => {
      const l = live.current;
      if (l) {
        // 60 dB of range look like the loudness one hears.
        const db = 20 * Math.log10(l.level() + 1e-4);
        const v = Math.max(0, Math.min(1, (db + 60) / 60));
        if (meter.current) meter.current.style.transform = `scaleX(${v})`;
        bar.current?.setAttribute("aria-valuenow", String(Math.round(v * 100)));
        bar.current?.setAttribute("data-zone", v > 0.97 ? "hot" : v < 0.4 ? "low" : "good");
        if (clock.current) clock.current.textContent = t.seconds(formatSeconds(l.seconds()));
      }
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [state, t]);

  function finish() {
    const r = live.current?.stop();
    live.current = null;
    setState("idle");
    if (r) onSample({ file: new File([wav(r)], `sample-${index + 1}.wav`, { type: "audio/wav" }), findings: check(r) });
  }
  async function start() {
    setState("asking");
    setDenied("");
    try {
      live.current = await record(maxSeconds, finish);
      setState("recording");
    } catch (e) {
      setState("idle");
      setDenied(e instanceof DOMException && e.name === "NotAllowedError" ? t.voices.denied : t.voices.noMicrophone);
    }
  }
  return (
    <li className={`sample${sample ? " done" : ""}`}>
      {prompt && <p className="sample-prompt"><span className="sample-number" aria-hidden="true">{index + 1}</span><q>{prompt}</q></p>}
      {state === "recording" && (
        <div className="meter-row">
          <div className="meter" ref={bar} role="meter" aria-label={t.voices.level} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0}><span ref={meter} /></div>
          <span ref={clock} className="muted" />
        </div>
      )}
      {sample && state === "idle" && <Waveform blob={sample.file} />}
      {sample && state === "idle" && (
        sample.findings.length === 0 ? (
          <p><span className="chip ok"><Icon name="check" size={16} />{t.voices.good}</span></p>
        ) : (
          <ul className="reasons">{sample.findings.map((f) => <li key={f}>{t.voices.findings[f]}</li>)}</ul>
        )
      )}
      <div className="row">
        {state === "recording" ? (
          <button type="button" className="primary" onClick={finish}><Icon name="stop" size={20} />{t.voices.stop}</button>
        ) : (
          <button type="button" className={sample ? "secondary" : "primary"} disabled={state === "asking"} onClick={() => void start()}>
            <Icon name="mic" size={20} />{sample ? t.voices.again : t.voices.record}
          </button>
        )}
        {sample && state === "idle" && <button type="button" className="ghost" onClick={() => onSample(null)}>{t.remove}</button>}
      </div>
      {denied && <p className="error" role="alert">{denied}</p>}
    </li>
  );
}
