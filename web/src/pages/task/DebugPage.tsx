// What really happened to a task: its recorded events with payloads, the task as
// it was after any of them, what each stage made, and a way to run again from there.
import { useEffect, useMemo, useState } from "react";
import { ApiError, call, getJSON } from "../../api/client";
import type { Blob as Stored, CloudEvent, Recorded } from "../../api/types";
import { explain, formatSeconds, useI18n } from "../../i18n";
import { Link, navigate } from "../../router";
import { downloadURL, foldAll, terminal, verbOf } from "../../task/fold";
import { Icon } from "../../ui/Icon";
import { size } from "./Result";
import { Fallbacks, Steps } from "./Steps";
import "../../styles/task.css";
import "../../styles/debug.css";

function useTimeline(id: string): { events: Recorded[]; error: unknown } {
  const [events, setEvents] = useState<Recorded[]>([]);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const abort = new AbortController();
    let source: EventSource | undefined;
    const add = (r: Recorded) => setEvents((old) => (old.some((x) => x.seq >= r.seq) ? old : [...old, r]));
    getJSON<{ events: Recorded[] }>(`/api/tasks/${id}/events`, abort.signal).then(
      (r) => {
        setEvents(r.events);
        const last = r.events.at(-1);
        if (last && terminal(foldAll(id, r.events))) return;
        source = new EventSource(`/api/tasks/${id}/events?after=${last?.seq ?? 0}`);
        source.addEventListener("event", (m) => {
          const event = JSON.parse(m.data) as CloudEvent;
          add({ seq: Number(m.lastEventId), event });
          if (/^videomsg\.task\.(completed|failed|canceled)$/.test(event.type)) source?.close();
        });
      },
      (e: unknown) => !abort.signal.aborted && setError(e),
    );
    return () => {
      abort.abort();
      source?.close();
    };
  }, [id]);
  return { events, error };
}

export default function DebugPage({ id }: { id: string }) {
  const { t } = useI18n();
  const { events, error } = useTimeline(id);
  const [at, setAt] = useState<number | null>(null); // null follows the newest
  const [problem, setProblem] = useState("");
  const n = at ?? events.length;
  const task = useMemo(() => foldAll(id, events, n), [id, events, n]);
  const chosen = events[n - 1];
  const start = events[0] ? Date.parse(events[0].event.time) : 0;
  const before = events[n - 2];
  async function rerun(from: string) {
    try {
      const r = await call(`/api/tasks/${id}/rerun`, { json: { from, changes: {} } });
      navigate(`/t/${((await r.json()) as { task_id: string }).task_id}/debug`);
    } catch (e) {
      setProblem(explain(t, e));
    }
  }
  if (error)
    return (
      <main id="main" className="page narrow center" tabIndex={-1}>
        <h1>{error instanceof ApiError ? explain(t, error) : t.errors.INTERNAL}</h1>
      </main>
    );
  const blobs = chosen?.event.data.blobs ?? {};
  const made = new Set(Object.keys(before?.event.data.blobs ?? {}));
  const { stage = "", verb = "" } = chosen ? verbOf(chosen.event) : {};
  const canRerun = events.length > 0 && terminal(foldAll(id, events));
  return (
    <main id="main" className="page" tabIndex={-1}>
      <div className="page-head">
        <h1>{t.debug.title}</h1>
        <p className="muted mono">{id}</p>
        <p className="row"><Link className="ghost" to={`/t/${id}`}><Icon name="film" size={20} />{t.debug.toTask}</Link></p>
      </div>
      <section className="card stack" aria-labelledby="h-time">
        <h2 id="h-time"><Icon name="clock" />{t.debug.asOf}</h2>
        <div className="slider">
          <label htmlFor="at">{t.debug.event(n, events.length)}</label>
          <output htmlFor="at">{chosen && `+${formatSeconds((Date.parse(chosen.event.time) - start) / 1000)} s`}</output>
          <input id="at" type="range" min={1} max={Math.max(1, events.length)} step={1} value={n || 1} aria-valuetext={chosen ? `${n}: ${chosen.event.type}` : ""} onChange={(e) => setAt(Number(e.target.value))} />
        </div>
        <p className="row"><span className={`chip ${task.status === "completed" ? "ok" : task.status === "failed" ? "bad" : "accent"}`} data-testid="state-then">{task.status}</span><strong>{Math.round(task.percent)}%</strong>{task.error && <span className="chip bad">{task.error.code}</span>}</p>
        <Steps task={task} live={false} />
        <Fallbacks task={task} />
        {canRerun && (
          <div className="row" role="group" aria-label={t.debug.rerun}>
            <span className="label">{t.debug.rerun}</span>
            {task.stages.filter((s) => s.state !== "pending").map((s) => (
              <button key={s.name} type="button" className="ghost" onClick={() => void rerun(s.name)}><Icon name="redo" size={18} />{t.task.stages[s.name] ?? s.name}</button>
            ))}
          </div>
        )}
        {problem && <p className="error" role="alert">{problem}</p>}
      </section>
      <div className="debug-columns">
        <section className="card" aria-labelledby="h-events">
          <h2 id="h-events"><Icon name="list" />{t.debug.events}</h2>
          <ol className="events">
            {events.map((r, i) => <Row key={r.seq} r={r} on={i === n - 1} start={start} previous={events[i - 1]} onPick={() => setAt(i + 1)} />)}
          </ol>
        </section>
        <div className="stack">
          <section className="card stack" aria-labelledby="h-artifacts">
            <h2 id="h-artifacts"><Icon name="image" />{t.debug.artifacts}</h2>
            {shown(blobs).length === 0 && <p className="muted">{t.debug.noArtifacts}</p>}
            <ul className="artifacts">
              {shown(blobs).map(([name, b]) => <Artefact key={name} task={id} name={name} blob={b} fresh={!made.has(name)} />)}
            </ul>
          </section>
          <section className="card stack" aria-labelledby="h-payload">
            <h2 id="h-payload"><Icon name="text" />{t.debug.payload}</h2>
            {chosen && <p className="muted mono"><small>{chosen.event.type} · {stage}/{verb} · #{chosen.seq}</small></p>}
            <pre className="payload" role="region" tabIndex={0} aria-label={t.debug.payload}>{chosen && JSON.stringify(chosen.event, null, 2)}</pre>
          </section>
        </div>
      </div>
    </main>
  );
}

function Row({ r, on, start, previous, onPick }: { r: Recorded; on: boolean; start: number; previous?: Recorded; onPick: () => void }) {
  const { t } = useI18n();
  const { stage, verb } = verbOf(r.event);
  const time = Date.parse(r.event.time);
  const gap = previous ? (time - Date.parse(previous.event.time)) / 1000 : 0;
  const note = r.event.data.notes?.findLast((x) => x.stage === stage);
  const told = verb === "ready" || verb === "failed" ? note : undefined;
  const look = verb === "failed" ? "bad" : verb === "ready" || verb === "completed" ? "ok" : verb === "retry" || verb === "canceled" ? "warn" : "";
  return (
    <li>
      <button type="button" className={`event${on ? " on" : ""}`} aria-current={on ? "true" : undefined} onClick={onPick}>
        <span className="event-time mono">+{((time - start) / 1000).toFixed(2)}</span>
        <span className="event-name"><strong>{stage === "task" ? t.task.whole : t.task.stages[stage] ?? stage}</strong> <span className={`chip ${look}`}>{verb}</span></span>
        <span className="event-more muted">
          {[told?.engine, told?.seconds !== undefined && t.seconds(formatSeconds(told.seconds)), (told?.attempt ?? 1) > 1 && t.task.attempt(told?.attempt ?? 1), told?.cache, told?.problem?.code].filter(Boolean).join(" · ")}
        </span>
        <span className="event-gap muted mono">{gap > 0.05 ? `${gap.toFixed(2)} s` : ""}</span>
      </button>
    </li>
  );
}

const shownText = 20_000;

// shown puts what can be looked at first; what the owner wanted echoed is no artefact.
function shown(blobs: Record<string, Stored>): [string, Stored][] {
  const rank = (b: Stored) => ["video/", "image/", "audio/"].findIndex((p) => b.type.startsWith(p)) + 1 || 9;
  return Object.entries(blobs).filter(([name]) => name !== "details").sort(([, a], [, b]) => rank(a) - rank(b));
}

function Artefact({ task, name, blob, fresh }: { task: string; name: string; blob: Stored; fresh: boolean }) {
  const { t } = useI18n();
  const [text, setText] = useState<string | null>(null);
  const url = downloadURL(task, name);
  const type = blob.type;
  async function look() {
    try {
      const s = await (await call(url)).text();
      setText((type.includes("json") ? JSON.stringify(JSON.parse(s), null, 2) : s).slice(0, shownText));
    } catch (e) {
      setText(explain(t, e));
    }
  }
  return (
    <li className="artefact">
      <span className="artefact-head">
        <strong>{t.task.artifacts[name] ?? name}</strong>
        {fresh && <span className="chip accent">{t.debug.fresh}</span>}
        <span className="muted"><small>{type} · {size(blob.size)}</small></span>
        <a href={url} download className="ghost square" aria-label={`${t.task.download} ${name}`}><Icon name="download" size={20} /></a>
      </span>
      {type.startsWith("image/") && <img src={url} alt={name} loading="lazy" />}
      {type.startsWith("audio/") && <audio controls preload="none" src={url} aria-label={name} />}
      {type.startsWith("video/") && <video controls preload="metadata" src={url} aria-label={name} />}
      {(type.includes("json") || type.startsWith("text/") || type.includes("subrip")) && (text === null ? <button type="button" className="ghost" onClick={() => void look()}>{t.debug.look}</button> : <pre className="payload small" role="region" aria-label={t.debug.payload} tabIndex={0}>{text}</pre>)}
    </li>
  );
}
