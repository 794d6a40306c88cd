import { useState } from "react";
import { ApiError, call } from "../../api/client";
import type { DeadLetter } from "../../api/types";
import { explain, formatDate, formatSeconds, useI18n } from "../../i18n";
import { keep, kept } from "../../kept";
import { Link } from "../../router";
import { Icon } from "../../ui/Icon";
import { count, type Ops as Data, rate, useOps } from "./data";
import { Throughput } from "./Throughput";
import { Workers } from "./Workers";
import "../../styles/ops.css";

const lockKey = "videomsg.ops.locked";

// Whose role lets them look only sees no buttons; an operator can choose that.
export default function Ops({ role }: { role?: string }) {
  const { t } = useI18n();
  const [deadState, setDeadState] = useState("open");
  const ops = useOps(deadState);
  const viewer = role === "viewer";
  const [chosen, setChosen] = useState(() => kept(lockKey) === "1" || new URLSearchParams(location.search).has("readonly"));
  const locked = viewer || chosen;
  const [problem, setProblem] = useState("");
  const [told, setTold] = useState("");

  async function act(path: string, method: string, say: string) {
    try {
      await call(path, { method });
      setProblem("");
      setTold(say);
      ops.reload();
    } catch (e) {
      setProblem(explain(t, e));
    }
  }
  if (ops.error instanceof ApiError && (ops.error.status === 403 || ops.error.status === 404))
    return (
      <main id="main" className="page narrow center" tabIndex={-1}>
        <h1>{t.ops.title}</h1>
        <p>{ops.error.status === 403 ? t.ops.onlyAdmin : t.unavailable}</p>
      </main>
    );
  return (
    <main id="main" className="page ops" tabIndex={-1}>
      <div className="page-head ops-head">
        <h1>{t.ops.title}</h1>
        {viewer ? <span className="chip">{t.ops.viewer}</span> : <label className="check">
          <input id="read-only" type="checkbox" checked={locked} onChange={(e) => { setChosen(e.target.checked); keep(lockKey, e.target.checked ? "1" : ""); }} />
          <span>{t.ops.readOnly}</span>
        </label>}
      </div>
      {ops.error != null && <p className="notice warn" role="status">{explain(t, ops.error)}</p>}
      {problem && <p className="notice bad" role="alert">{problem}</p>}
      <p className="visually-hidden" role="status">{told}</p>
      <Summary ops={ops} />
      <Stages ops={ops} locked={locked} act={act} />
      <section className="card stack" aria-labelledby="h-throughput">
        <h2 id="h-throughput"><Icon name="wave" />{t.ops.throughput}</h2>
        <Throughput minutes={ops.minutes} />
      </section>
      <Workers workers={ops.workers} />
      <section className="card stack" aria-labelledby="h-dead">
        <div className="card-head row">
          <h2 id="h-dead" className="grow"><Icon name="alert" />{t.ops.dead}</h2>
          <select id="dead-state" aria-label={t.history.filter} value={deadState} onChange={(e) => setDeadState(e.target.value)}>
            {Object.entries(t.ops.deadStates).map(([v, name]) => <option key={v} value={v}>{name}</option>)}
          </select>
        </div>
        {ops.dead.length === 0 && <p className="muted">{t.ops.noDead}</p>}
        <ul className="dead">
          {ops.dead.map((d) => <Dead key={d.seq} d={d} locked={locked} act={act} />)}
        </ul>
      </section>
      <Engines ops={ops} />
    </main>
  );
}

type Act = (path: string, method: string, say: string) => Promise<void>;

function Summary({ ops }: { ops: Data }) {
  const { t } = useI18n();
  const sum = (f: (s: Data["stages"][number]) => number) => ops.stages.reduce((n, s) => n + f(s), 0);
  const oldest = Math.max(0, ...ops.stages.map((s) => s.oldest_age));
  const open = ops.dead.filter((d) => d.state === "open").length;
  const facts: [string, string | number, string][] = [
    [t.ops.pending, sum((s) => s.pending), ""],
    [t.ops.running, sum((s) => s.in_flight), ""],
    [t.ops.workers, new Set(ops.workers.map((w) => w.id)).size, ops.workers.length ? "" : "warn"],
    [t.ops.oldest, oldest > 0 ? t.seconds(formatSeconds(oldest)) : "–", ""],
    [t.ops.dead, open, open ? "bad" : ""],
    [t.ops.paused, ops.stages.filter((s) => s.paused).length, ops.stages.some((s) => s.paused) ? "warn" : ""],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, v, look]) => (
        <div key={name} className={`fact ${look}`}>
          <dt>{name}</dt>
          <dd>{v}</dd>
        </div>
      ))}
    </dl>
  );
}

function Stages({ ops, locked, act }: { ops: Data; locked: boolean; act: Act }) {
  const { t } = useI18n();
  const places = (stage: string) => ops.workers.filter((w) => w.stage === stage).reduce((n, w) => n + w.places, 0);
  return (
    <section className="card stack" aria-labelledby="h-stages">
      <h2 id="h-stages"><Icon name="list" />{t.ops.stages}</h2>
      <div className="scroll" tabIndex={0} role="region" aria-labelledby="h-stages">
        <table>
          <thead>
            <tr>
              <th scope="col">{t.ops.stage}</th>
              <th scope="col">{t.ops.pending}</th>
              <th scope="col">{t.ops.running}</th>
              <th scope="col">{t.ops.rate}</th>
              <th scope="col">{t.ops.oldest}</th>
              <th scope="col">{t.ops.retries}</th>
              <th scope="col">{t.ops.workers}</th>
              <th scope="col">{t.ops.state}</th>
              {!locked && <th scope="col"><span className="visually-hidden">{t.ops.actions}</span></th>}
            </tr>
          </thead>
          <tbody>
            {ops.stages.map((s) => (
              <tr key={s.name} data-stage={s.name}>
                <th scope="row">{t.task.stages[s.name] ?? s.name}<small className="muted mono"> {s.name}</small></th>
                <td data-label={t.ops.pending}>{s.pending}</td>
                <td data-label={t.ops.running}>{s.in_flight}</td>
                <td data-label={t.ops.rate}>{rate(ops.minutes, s.name).toFixed(1)}</td>
                <td data-label={t.ops.oldest}>{s.oldest_age > 0 ? t.seconds(formatSeconds(s.oldest_age)) : "–"}</td>
                <td data-label={t.ops.retries}>{s.redelivered}</td>
                <td data-label={t.ops.workers}>{places(s.name)}<small className="muted"> ({t.ops.idle(s.waiting)})</small></td>
                <td data-label={t.ops.state}><span className={`chip ${s.paused ? "warn" : "ok"}`}>{s.paused ? t.ops.paused : t.ops.active}</span></td>
                {!locked && (
                  <td className="act">
                    {s.paused ? (
                      <button type="button" className="ghost" aria-label={`${t.ops.resume} ${s.name}`} onClick={() => void act(`/api/admin/stages/${s.name}/resume`, "POST", t.ops.resume)}><Icon name="play" size={18} />{t.ops.resume}</button>
                    ) : (
                      <button type="button" className="ghost" aria-label={`${t.ops.pause} ${s.name}`} onClick={() => void act(`/api/admin/stages/${s.name}/pause`, "POST", t.ops.pause)}><Icon name="pause" size={18} />{t.ops.pause}</button>
                    )}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Dead({ d, locked, act }: { d: DeadLetter; locked: boolean; act: Act }) {
  const { t, lang } = useI18n();
  const [sure, setSure] = useState(false);
  return (
    <li className="dead-letter" data-seq={d.seq}>
      <div className="row">
        <span className="chip bad">{t.task.stages[d.stage] ?? d.stage}</span>
        <strong className="mono">{d.code}</strong>
        <span className={`chip ${d.state === "open" ? "warn" : "ok"}`}>{t.ops.deadStates[d.state]}</span>
        <time className="muted" dateTime={d.time}>{formatDate(lang, d.time)}</time>
        <Link to={`/t/${d.task_id}/debug`} className="mono">{d.task_id}</Link>
      </div>
      <p>{d.detail}</p>
      {d.cause && <p className="mono cause">{d.cause}</p>}
      <details>
        <summary>{t.ops.attempts(d.attempts)}</summary>
        <ol className="tries">{(d.tries ?? []).map((x, i) => <li key={i} className="mono">{x}</li>)}</ol>
      </details>
      {d.new_task && <p>→ <Link to={`/t/${d.new_task}`} className="mono">{d.new_task}</Link></p>}
      {!locked && d.state === "open" && (
        <div className="row">
          <button type="button" className="secondary" onClick={() => void act(`/api/admin/dead-letters/${d.seq}/redrive`, "POST", t.ops.redriven)}><Icon name="redo" size={20} />{t.ops.redrive}</button>
          {sure ? (
            <button type="button" className="danger" autoFocus onBlur={() => setSure(false)} onClick={() => void act(`/api/admin/dead-letters/${d.seq}`, "DELETE", t.ops.discarded)}>{t.ops.discardSure}</button>
          ) : (
            <button type="button" className="ghost" onClick={() => setSure(true)}><Icon name="trash" size={20} />{t.ops.discard}</button>
          )}
        </div>
      )}
    </li>
  );
}

function Engines({ ops }: { ops: Data }) {
  const { t } = useI18n();
  const [all, setAll] = useState(false);
  const shown = ops.engines.filter((e) => all || e.configured);
  return (
    <section className="card stack" aria-labelledby="h-engines">
      <div className="card-head row">
        <h2 id="h-engines" className="grow"><Icon name="gear" />{t.ops.engines}</h2>
        <label className="check"><input type="checkbox" checked={all} onChange={(e) => setAll(e.target.checked)} /><span>{t.ops.showOff}</span></label>
      </div>
      <ul className="engines">
        {shown.map((e) => {
          const served = count(ops.minutes, "served", e.stage, e.engine);
          const replaced = count(ops.minutes, "replaced", e.stage, e.engine);
          return (
            <li key={`${e.stage}/${e.engine}`} className={`engine ${e.status}`}>
              <span className="muted"><small>{t.task.stages[e.stage] ?? e.stage}</small></span>
              <strong>{e.engine}</strong>
              <span className="row tight">
                <span className={`chip ${e.status === "healthy" ? "ok" : e.status === "off" ? "" : "bad"}`}>{t.ops.engineStates[e.status] ?? e.status}</span>
                {e.breaker !== "none" && <span className={`chip ${e.breaker === "closed" ? "ok" : "bad"}`}>{t.ops.breaker} {e.breaker}</span>}
                {replaced > 0 && <span className="chip warn">{t.ops.fallbacks(replaced)}</span>}
              </span>
              {served > 0 && <small className="muted">{t.ops.served(served)}</small>}
              {e.reason && <small className="muted">{e.reason}</small>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
