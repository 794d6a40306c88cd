import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import { call, list } from "../../api/client";
import type { Profile } from "../../api/types";
import { explain, formatDate, useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { Play } from "../../ui/Play";
import { Recorder, type Sample } from "./Recorder";
import "../../styles/create.css";
import "../../styles/voices.css";

export default function Voices() {
  const { t } = useI18n();
  const [profiles, setProfiles] = useState<Profile[] | null>(null);
  const [problem, setProblem] = useState("");
  const load = useCallback(() => {
    list<Profile>("/api/voice-clone/profiles").then(setProfiles, (e: unknown) => {
      setProfiles([]);
      setProblem(explain(t, e));
    });
  }, [t]);
  useEffect(load, [load]);
  return (
    <main id="main" className="page narrow" tabIndex={-1}>
      <div className="page-head">
        <h1>{t.voices.title}</h1>
        <p className="muted">{t.voices.lead}</p>
      </div>
      {problem && <p className="notice bad" role="alert">{problem}</p>}
      {profiles && profiles.length > 0 && (
        <section className="card stack" aria-labelledby="h-profiles">
          <h2 id="h-profiles"><Icon name="mic" />{t.voices.mine}</h2>
          <ul className="profiles">
            {profiles.map((p) => <Entry key={p.profile_id} profile={p} onChange={load} />)}
          </ul>
        </section>
      )}
      <Make onMade={load} />
    </main>
  );
}

function Entry({ profile: p, onChange }: { profile: Profile; onChange: () => void }) {
  const { t, lang } = useI18n();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const dialog = useRef<HTMLDialogElement>(null);
  const withdrawn = p.status === "revoked" || !!p.consent?.withdrawn;
  async function act(method: string, json?: unknown) {
    try {
      await call(`/api/voice-clone/profiles/${p.profile_id}`, { method, json });
      dialog.current?.close();
      onChange();
    } catch (e) {
      setProblem(explain(t, e));
    }
  }
  const query = text.trim() ? `?text=${encodeURIComponent(text.trim())}` : "";
  return (
    <li className="profile">
      <div className="row">
        <div className="grow">
          <strong>{p.name}</strong>{" "}
          <span className={`chip ${withdrawn || p.status === "failed" ? "bad" : p.status === "ready" ? "ok" : "accent"}`}>{t.voices.state[withdrawn ? "revoked" : p.status ?? "ready"] ?? p.status}</span>
          <p className="muted"><small>
            {[p.created_at && formatDate(lang, p.created_at), p.consent?.speaker && t.voices.of(p.consent.speaker), t.voices.basis[p.consent?.basis ?? ""]].filter(Boolean).join("・")}
          </small></p>
          {p.reason && <p className="error"><small>{p.reason}</small></p>}
        </div>
        {!withdrawn && <Play id={`profile:${p.profile_id}:${query}`} label={t.create.listen(p.name)} src={`/api/voice-clone/profiles/${p.profile_id}/preview${query}`} />}
      </div>
      {!withdrawn && (
        <div>
          <label className="visually-hidden" htmlFor={`test-${p.profile_id}`}>{t.create.testSentence}</label>
          <input id={`test-${p.profile_id}`} type="text" maxLength={100} value={text} placeholder={t.create.testDefault} onChange={(e) => setText(e.target.value)} />
        </div>
      )}
      {problem && <p className="error" role="alert">{problem}</p>}
      <div className="row">
        {!withdrawn && <button type="button" className="ghost" onClick={() => void act("PATCH", { revoke: true })}><Icon name="cross" size={20} />{t.voices.revoke}</button>}
        <button type="button" className="ghost" onClick={() => dialog.current?.showModal()}><Icon name="trash" size={20} />{t.voices.erase}</button>
      </div>
      <dialog ref={dialog} aria-label={t.voices.erase}>
        <div className="stack">
          <h2>{p.name}</h2>
          <p>{t.voices.eraseAsk}</p>
          <div className="row">
            <button type="button" className="danger" onClick={() => void act("DELETE")}>{t.voices.erase}</button>
            <button type="button" className="secondary" autoFocus onClick={() => dialog.current?.close()}>{t.cancel}</button>
          </div>
        </div>
      </dialog>
    </li>
  );
}

function Make({ onMade }: { onMade: () => void }) {
  const { t, lang } = useI18n();
  const [name, setName] = useState("");
  const [basis, setBasis] = useState("self");
  const [speaker, setSpeaker] = useState("");
  const [agreed, setAgreed] = useState(false);
  const [samples, setSamples] = useState<(Sample | null)[]>([null, null, null]);
  const [state, setState] = useState<"edit" | "sending" | "made">("edit");
  const [problem, setProblem] = useState("");
  const upload = useRef<HTMLInputElement>(null);
  const ready = samples.filter((s): s is Sample => s !== null);
  const statement = t.voices.statement(basis === "self" ? name : speaker || t.voices.person);

  function put(i: number, s: Sample | null) {
    setSamples((old) => old.map((x, j) => (j === i ? s : x)));
  }
  function add(files: FileList | null) {
    setSamples((old) => {
      const next = [...old];
      for (const file of files ?? []) {
        const free = next.indexOf(null);
        if (free >= 0) next[free] = { file, findings: [] };
        else if (next.length < 5) next.push({ file, findings: [] });
      }
      return next;
    });
  }
  async function submit(e: FormEvent) {
    e.preventDefault();
    if (!name.trim()) return setProblem(t.voices.needName);
    if (!agreed || (basis !== "self" && !speaker.trim())) return setProblem(t.create.needConsent);
    if (ready.length === 0) return setProblem(t.voices.needSample);
    setProblem("");
    setState("sending");
    const form = new FormData();
    form.set("name", name.trim());
    form.set("language", lang);
    form.set("consent", JSON.stringify({ speaker: (basis === "self" ? name : speaker).trim(), basis, statement }));
    for (const s of ready) form.append("audio_samples", s.file);
    try {
      await call("/api/voice-clone/create", { form });
      setState("made");
      setSamples([null, null, null]);
      setAgreed(false);
      setName("");
      onMade();
      scrollTo(0, 0);
    } catch (err) {
      setState("edit");
      setProblem(explain(t, err));
    }
  }
  return (
    <form className="card stack" onSubmit={submit} aria-labelledby="h-make" noValidate>
      <h2 id="h-make"><Icon name="plus" />{t.voices.make}</h2>
      {state === "made" && <p className="notice ok" role="status"><Icon name="check" size={20} />{t.voices.made}</p>}
      <div>
        <label className="label" htmlFor="voice-name">{t.voices.name}</label>
        <input id="voice-name" type="text" maxLength={100} value={name} placeholder={t.voices.nameHint} onChange={(e) => setName(e.target.value)} />
      </div>

      <h3><span className="step-no">1</span>{t.voices.consentTitle}</h3>
      <Choice name="basis" legend={t.voices.whose} value={basis} onChange={setBasis} options={["self", "permission", "guardian"].map((value) => ({ value, label: t.voices.basis[value] }))} />
      {basis !== "self" && (
        <div>
          <label className="label" htmlFor="speaker">{t.voices.speaker}</label>
          <input id="speaker" type="text" maxLength={100} value={speaker} onChange={(e) => setSpeaker(e.target.value)} />
        </div>
      )}
      <blockquote className="statement">{statement}</blockquote>
      <label className="check">
        <input id="voice-consent" type="checkbox" checked={agreed} onChange={(e) => setAgreed(e.target.checked)} />
        <span>{t.voices.agree}</span>
      </label>
      <p className="muted"><small>{t.voices.consentNote}</small></p>

      <h3><span className="step-no">2</span>{t.voices.recordTitle}</h3>
      <p className="muted">{t.voices.recordHelp}</p>
      <ol className="samples">
        {samples.map((s, i) => <Recorder key={i} index={i} prompt={t.voices.prompts[i] ?? t.voices.prompts[0]!} sample={s} onSample={(x) => put(i, x)} />)}
      </ol>
      <div>
        <button type="button" className="ghost" onClick={() => upload.current?.click()}><Icon name="plus" size={20} />{t.voices.upload}</button>
        <input ref={upload} type="file" multiple accept="audio/*" className="visually-hidden" tabIndex={-1} aria-label={t.voices.upload} onChange={(e) => add(e.target.files)} />
      </div>
      {problem && <p className="notice bad" role="alert"><Icon name="alert" size={20} />{problem}</p>}
      <button className="primary big" disabled={state === "sending"}>
        {state === "sending" ? <><span className="spin" aria-hidden="true" />{t.create.sending}</> : <><Icon name="sparkle" />{t.voices.go}</>}
      </button>
    </form>
  );
}
