import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import type { Word } from "../../api/types";
import { useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import type { Sample } from "../voices/Recorder";
import { Dictionary, explainWord, remember, words } from "./Dictionary";
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
  sampleURL: (text: string) => string; // of the chosen voice
  onWords: () => void; // the dictionary has changed
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

export function Message({ text, language, languages, own, audio, onOwn, onAudio, onText, onLanguage, sampleURL, onWords, error }: Props) {
  const { t, lang } = useI18n();
  const area = useRef<HTMLTextAreaElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const [word, setWord] = useState("");
  const [kana, setKana] = useState("");
  const [range, setRange] = useState<[number, number]>([0, 0]);
  const [hint, setHint] = useState("");
  const [always, setAlways] = useState(false);
  const [known, setKnown] = useState<Word[]>([]);
  const [wordProblem, setWordProblem] = useState("");
  const load = useCallback((signal?: AbortSignal) => {
    words(language, signal).then(setKnown, () => {
      // without the list, words can still be added
    });
  }, [language]);
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal);
    return () => abort.abort();
  }, [load]);
  const changed = () => {
    load();
    onWords();
  };
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
    setWordProblem("");
    dialog.current?.showModal();
  }
  async function apply() {
    const reading = kana.replace(/[{}|]/g, "").trim();
    if (reading && always) {
      try {
        await remember(known, word, reading, language);
        changed();
      } catch (e) {
        setWordProblem(explainWord(t, e));
        return;
      }
    }
    dialog.current?.close();
    if (reading && !always) onText(`${text.slice(0, range[0])}{${word}|${reading}}${text.slice(range[1])}`);
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
        <summary id="readings">{t.create.reading}{known.length > 0 && <span className="chip">{t.dictionary.count(known.length)}</span>}</summary>
        <div className="stack">
          <p className="muted">{t.create.readingHelp}</p>
          <div className="row">
            <button type="button" className="secondary" onMouseDown={(e) => e.preventDefault()} onClick={addReading}><Icon name="plus" size={20} />{t.create.readingAdd}</button>
          </div>
          <p className="error" aria-live="polite">{hint}</p>
          <Dictionary known={known} language={language} sampleURL={sampleURL} onChange={changed} />
        </div>
      </details>
      {languages.length > 1 && (
            <div>
              <label className="label" htmlFor="speech-language">{t.create.speechLanguage}</label>
              <select id="speech-language" value={language} onChange={(e) => onLanguage(e.target.value)}>
                {languages.map((l) => <option key={l} value={l}>{names.of(l) ?? l}</option>)}
              </select>
            </div>
          )}
      </>}
      <dialog ref={dialog} aria-labelledby="h-reading">
        {/* Not a form: one stands around it already. */}
        <div className="stack">
          <h2 id="h-reading"><ruby>{word}<rt>{kana}</rt></ruby></h2>
          <div>
            <label className="label" htmlFor="kana">{t.create.readingPrompt(word)}</label>
            <input id="kana" type="text" value={kana} autoFocus onChange={(e) => setKana(e.target.value)} onKeyDown={(e) => {
              if (e.key !== "Enter" || e.nativeEvent.isComposing) return;
              e.preventDefault();
              void apply();
            }} />
          </div>
          <label className="check">
            <input id="always" type="checkbox" checked={always} onChange={(e) => setAlways(e.target.checked)} />
            <span>{t.dictionary.always}</span>
          </label>
          {wordProblem && <p className="error" role="alert">{wordProblem}</p>}
          <div className="row">
            <button type="button" className="primary" onClick={() => void apply()}>{t.save}</button>
            <button type="button" className="secondary" onClick={() => dialog.current?.close()}>{t.cancel}</button>
          </div>
        </div>
      </dialog>
    </section>
  );
}
