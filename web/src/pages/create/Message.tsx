import { lazy, Suspense, useRef, useState } from "react";
import { useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import type { Sample } from "../voices/Recorder";
import { length, speechSeconds } from "./draft";

const Recorder = lazy(() => import("../voices/Recorder").then((m) => ({ default: m.Recorder })));

interface Props {
  text: string;
  language: string;
  languages: string[];
  own: boolean; // speaks for itself
  audio: File | null;
  onOwn: (own: boolean) => void;
  onAudio: (f: File | null) => void;
  onText: (s: string) => void;
  onLanguage: (s: string) => void;
  error?: string;
}

const max = 1000;

// Own is speech of one's own instead of a text: recorded here, or a file.
function Own({ audio, onAudio }: { audio: File | null; onAudio: (f: File | null) => void }) {
  const { t } = useI18n();
  const [sample, setSample] = useState<Sample | null>(audio ? { file: audio, findings: [] } : null);
  const file = useRef<HTMLInputElement>(null);
  const take = (s: Sample | null) => {
    setSample(s);
    onAudio(s?.file ?? null);
  };
  return (
    <Suspense fallback={<p className="muted">{t.loading}</p>}>
      <ul className="samples">
        <Recorder index={0} sample={sample} onSample={take} maxSeconds={120} />
      </ul>
      <div>
        <button type="button" className="ghost" onClick={() => file.current?.click()}><Icon name="plus" size={20} />{t.voices.upload}</button>
        <input ref={file} id="own-audio" type="file" accept="audio/*" className="visually-hidden" tabIndex={-1} aria-label={t.voices.upload} onChange={(e) => {
          const f = e.target.files?.[0];
          if (f) take({ file: f, findings: [] });
        }} />
      </div>
    </Suspense>
  );
}

export function Message({ text, language, languages, own, audio, onOwn, onAudio, onText, onLanguage, error }: Props) {
  const { t, lang } = useI18n();
  const area = useRef<HTMLTextAreaElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const [word, setWord] = useState("");
  const [kana, setKana] = useState("");
  const [range, setRange] = useState<[number, number]>([0, 0]);
  const [hint, setHint] = useState("");
  const n = length(text);
  const names = new Intl.DisplayNames([lang], { type: "language" });

  function addReading() {
    const el = area.current;
    if (!el) return;
    const [from, to] = [el.selectionStart, el.selectionEnd];
    const chosen = text.slice(from, to);
    if (!chosen.trim() || /[{}|\n]/.test(chosen)) {
      setHint(t.create.readingSelect);
      el.focus();
      return;
    }
    setHint("");
    setWord(chosen);
    setKana("");
    setRange([from, to]);
    dialog.current?.showModal();
  }
  function apply() {
    const reading = kana.replace(/[{}|]/g, "").trim();
    dialog.current?.close();
    if (reading) onText(`${text.slice(0, range[0])}{${word}|${reading}}${text.slice(range[1])}`);
    area.current?.focus();
  }
  return (
    <section className="card stack" aria-labelledby="h-message">
      <h2 id="h-message" tabIndex={-1}><Icon name="text" />{t.create.message}</h2>
      <Choice name="source" legend={t.create.source} hideLegend look="segments" value={own ? "own" : "text"} onChange={(v) => onOwn(v === "own")} options={[{ value: "text", label: t.create.useText }, { value: "own", label: t.create.ownAudio }]} />
      {own && <Own audio={audio} onAudio={onAudio} />}
      {own && error && <p className="error" role="alert">{error}</p>}
      {!own && <>
      <div className="examples row" role="group" aria-label={t.create.examples}>
        {t.create.exampleList.map(([name, s]) => (
          <button key={name} type="button" className="example" onClick={() => onText(s)}>{name}</button>
        ))}
      </div>
      <div>
        <label className="visually-hidden" htmlFor="text">{t.create.message}</label>
        <textarea id="text" ref={area} rows={6} value={text} placeholder={t.create.placeholder} lang={language} aria-invalid={n > max || !!error} aria-describedby="text-count text-error" onChange={(e) => onText(e.target.value)} />
        <p className="text-meta">
          <span id="text-count" className={n > max ? "error" : "muted"}>{n > max ? t.create.tooLong(n - max) : t.create.counter(n)}</span>
          {n > 0 && <span className="muted">{t.create.about(Math.max(1, Math.round(speechSeconds(text, language))))}</span>}
        </p>
        <p id="text-error" className="error" role={error ? "alert" : undefined}>{error}</p>
      </div>
      <details>
        <summary>{t.create.reading}</summary>
        <div className="stack">
          <p className="muted">{t.create.readingHelp}</p>
          <div className="row">
            <button type="button" className="secondary" onMouseDown={(e) => e.preventDefault()} onClick={addReading}><Icon name="plus" size={20} />{t.create.readingAdd}</button>
          </div>
          <p className="error" aria-live="polite">{hint}</p>
          {languages.length > 1 && (
            <div>
              <label className="label" htmlFor="speech-language">{t.create.speechLanguage}</label>
              <select id="speech-language" value={language} onChange={(e) => onLanguage(e.target.value)}>
                {languages.map((l) => <option key={l} value={l}>{names.of(l) ?? l}</option>)}
              </select>
            </div>
          )}
        </div>
      </details>
      </>}
      <dialog ref={dialog} aria-labelledby="h-reading">
        <form method="dialog" className="stack" onSubmit={(e) => { e.preventDefault(); apply(); }}>
          <h2 id="h-reading"><ruby>{word}<rt>{kana}</rt></ruby></h2>
          <div>
            <label className="label" htmlFor="kana">{t.create.readingPrompt(word)}</label>
            <input id="kana" type="text" value={kana} autoFocus onChange={(e) => setKana(e.target.value)} />
          </div>
          <div className="row">
            <button className="primary">{t.save}</button>
            <button type="button" className="secondary" onClick={() => dialog.current?.close()}>{t.cancel}</button>
          </div>
        </form>
      </dialog>
    </section>
  );
}
