import { useState } from "react";
import { ApiError, call, list } from "../../api/client";
import type { Word } from "../../api/types";
import { explain, useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { Play } from "../../ui/Play";

// words reads what the dictionary has in a language.
export function words(language: string, signal?: AbortSignal): Promise<Word[]> {
  return list<Word>(`/api/dictionary?language=${encodeURIComponent(language)}`, signal);
}

// remember puts a reading into the dictionary; a word that is there already is
// read anew.
export async function remember(known: Word[], surface: string, reading: string, language: string): Promise<void> {
  const old = known.find((w) => w.surface === surface);
  if (old) await call(`/api/dictionary/${old.id}`, { method: "PATCH", json: { reading } });
  else await call("/api/dictionary", { json: { surface, reading, language } });
}

// explainWord says what is wrong with a word in words of ours where a field is named.
export function explainWord(t: ReturnType<typeof useI18n>["t"], e: unknown): string {
  const field = e instanceof ApiError ? e.errors[0]?.field : undefined;
  return (field && t.dictionary.wrong[field]) || (e instanceof ApiError && t.dictionary.refused[e.code]) || explain(t, e);
}

interface Props {
  known: Word[];
  language: string;
  sampleURL: (text: string) => string; // of the chosen voice
  onChange: () => void;
}

// Dictionary is how one's own words are read, in every message from now on.
export function Dictionary({ known, language, sampleURL, onChange }: Props) {
  const { t } = useI18n();
  const [surface, setSurface] = useState("");
  const [reading, setReading] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function change(act: () => Promise<unknown>) {
    setBusy(true);
    try {
      await act();
      setProblem("");
      onChange();
      return true;
    } catch (e) {
      setProblem(explainWord(t, e));
      return false;
    } finally {
      setBusy(false);
    }
  }
  async function add() {
    if (!surface.trim() || !reading.trim()) return setProblem(t.dictionary.needBoth);
    if (await change(() => remember(known, surface.trim(), reading.trim(), language))) {
      setSurface("");
      setReading("");
      document.getElementById("word-surface")?.focus();
    }
  }
  const onEnter = (e: React.KeyboardEvent) => {
    if (e.key !== "Enter" || e.nativeEvent.isComposing) return;
    e.preventDefault(); // the message around it is not to be sent
    void add();
  };
  return (
    <div className="stack" role="group" aria-label={t.dictionary.title}>
      <p className="muted">{t.dictionary.help}</p>
      {known.length > 0 && (
        <ul className="words">
          {known.map((w) => (
            <li key={w.id} className="word" data-word={w.surface}>
              <span className="grow"><strong>{w.surface}</strong> <span className="muted">{w.reading}</span></span>
              <Play id={`word:${w.id}:${w.updated_at}`} label={t.dictionary.hear(w.surface)} src={`${sampleURL(w.surface)}&v=${Date.parse(w.updated_at)}`} />
              <button type="button" className="ghost square" aria-label={t.dictionary.remove(w.surface)} disabled={busy} onClick={() => void change(() => call(`/api/dictionary/${w.id}`, { method: "DELETE" }))}><Icon name="trash" size={20} /></button>
            </li>
          ))}
        </ul>
      )}
      <div className="word-form">
        <div>
          <label className="label" htmlFor="word-surface">{t.dictionary.surface}</label>
          <input id="word-surface" type="text" maxLength={30} lang={language} placeholder={t.dictionary.surfaceHint} value={surface} onChange={(e) => setSurface(e.target.value)} onKeyDown={onEnter} />
        </div>
        <div>
          <label className="label" htmlFor="word-reading">{t.dictionary.reading}</label>
          <input id="word-reading" type="text" maxLength={50} lang={language} placeholder={t.dictionary.readingHint} value={reading} onChange={(e) => setReading(e.target.value)} onKeyDown={onEnter} />
        </div>
        <button type="button" className="secondary" disabled={busy} onClick={() => void add()}><Icon name="plus" size={20} />{t.dictionary.add}</button>
      </div>
      {problem && <p className="error" role="alert">{problem}</p>}
    </div>
  );
}
