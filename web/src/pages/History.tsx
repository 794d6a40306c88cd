import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call } from "../api/client";
import type { Task } from "../api/types";
import { explain, formatDate, useI18n } from "../i18n";
import { Link } from "../router";
import { Icon } from "../ui/Icon";
import "../styles/history.css";

interface Page { items: Task[]; next: string }

async function page(cursor: string, signal: AbortSignal): Promise<Page> {
  const r = await call(`/api/tasks?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { signal });
  const body = (await r.json()) as Record<string, unknown>;
  const items = (Array.isArray(body) ? body : Object.values(body).find(Array.isArray) ?? []) as Task[];
  const link = /<[^>]*[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"/.exec(r.headers.get("Link") ?? "");
  const next = link?.[1] ? decodeURIComponent(link[1]) : String(body.next_cursor ?? body.next ?? "");
  return { items, next };
}

export default function History() {
  const { t, lang } = useI18n();
  const [tasks, setTasks] = useState<Task[]>([]);
  const [next, setNext] = useState<string | null>("");
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState("");
  const [query, setQuery] = useState("");
  const [state, setState] = useState("");
  const end = useRef<HTMLDivElement>(null);
  const abort = useRef(new AbortController());

  const more = useCallback(async (cursor: string) => {
    setLoading(true);
    try {
      const p = await page(cursor, abort.current.signal);
      setTasks((old) => {
        const known = new Set(old.map((x) => x.task_id));
        return [...old, ...p.items.filter((x) => !known.has(x.task_id))];
      });
      setNext(p.next || null);
      setProblem("");
    } catch (e) {
      if (abort.current.signal.aborted) return;
      setProblem(explain(t, e));
      setNext(null);
    } finally {
      setLoading(false);
    }
  }, [t]);
  useEffect(() => {
    abort.current = new AbortController();
    void more("");
    return () => abort.current.abort();
    // Once; the language of an error does not call for another load.
    // eslint-disable-next-line
  }, []);
  useEffect(() => {
    // A search looks through everything, so it brings in what is not here yet.
    if (query && next && !loading) void more(next);
  }, [query, next, loading, more]);
  useEffect(() => {
    if (!end.current || !next) return;
    const o = new IntersectionObserver((e) => e[0]?.isIntersecting && !loading && void more(next), { rootMargin: "600px" });
    o.observe(end.current);
    return () => o.disconnect();
  }, [next, loading, more]);

  const shown = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return tasks.filter((x) => {
      if (x.kind && x.kind !== "video" && x.kind !== "avatar") return false;
      if (state === "completed" || state === "failed" || state === "canceled" ? x.status !== state : state === "running" && ["completed", "failed", "canceled"].includes(x.status)) return false;
      const hay = `${x.subject ?? ""} ${x.user_data ?? ""} ${formatDate(lang, x.created_at)} ${x.created_at} ${t.history.state[x.status]}`.toLowerCase();
      return words.every((w) => hay.includes(w));
    });
  }, [tasks, query, state, lang, t]);

  return (
    <main id="main" className="page narrow" tabIndex={-1}>
      <div className="page-head"><h1>{t.history.title}</h1></div>
      <div className="history-tools">
        <div className="search">
          <Icon name="search" />
          <input type="search" aria-label={t.history.search} placeholder={t.history.search} value={query} onChange={(e) => setQuery(e.target.value)} />
        </div>
        <select aria-label={t.history.filter} value={state} onChange={(e) => setState(e.target.value)}>
          <option value="">{t.history.all}</option>
          <option value="completed">{t.history.state.completed}</option>
          <option value="running">{t.history.state.processing}</option>
          <option value="failed">{t.history.state.failed}</option>
          <option value="canceled">{t.history.state.canceled}</option>
        </select>
      </div>
      <p className="visually-hidden" role="status">{t.history.count(shown.length)}</p>
      {problem && <p className="notice bad" role="alert">{problem}</p>}
      <ul className="history">
        {shown.map((x) => <Entry key={x.task_id} task={x} />)}
      </ul>
      {loading && <p className="muted center">{t.loading}</p>}
      {!loading && !problem && shown.length === 0 && (
        <div className="card center stack empty">
          <span className="drop-icon"><Icon name="film" size={40} /></span>
          <p>{tasks.length ? t.history.noHits : t.history.none}</p>
          <Link className="button" to="/">{t.create.title}</Link>
        </div>
      )}
      <div ref={end} />
    </main>
  );
}

function Entry({ task }: { task: Task }) {
  const { t, lang } = useI18n();
  const poster = task.stages?.flatMap((s) => s.artifacts ?? []).find((a) => a.name === "poster");
  const look = task.status === "completed" ? "ok" : task.status === "failed" ? "bad" : task.status === "canceled" ? "" : "accent";
  return (
    <li className="entry">
      <Link to={`/t/${task.task_id}`}>
        <span className="thumb">
          {poster || task.status === "completed" ? <img src={poster?.url ?? `/api/video/download/${task.task_id}?artifact=poster`} alt="" loading="lazy" decoding="async" width={72} height={72} /> : <Icon name="film" />}
        </span>
        <span className="entry-body">
          <strong>{task.subject || t.history.noTitle}</strong>
          <span className="muted entry-text">{task.user_data}</span>
          <span className="entry-meta">
            <span className={`chip ${look}`}>{t.history.state[task.status] ?? task.status}{look === "accent" ? ` ${Math.round(task.percent)}%` : ""}</span>
            <time className="muted" dateTime={task.created_at}>{formatDate(lang, task.created_at)}</time>
          </span>
        </span>
      </Link>
    </li>
  );
}
