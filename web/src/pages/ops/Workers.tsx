import type { Worker } from "../../api/types";
import { formatDate, formatSeconds, useI18n } from "../../i18n";
import { Link } from "../../router";
import { Icon } from "../../ui/Icon";

// Workers shows every process that takes requests: where it runs, since when,
// for which stages, and on what it works now.
export function Workers({ workers }: { workers: Worker[] }) {
  const { t, lang } = useI18n();
  const processes = new Map<string, Worker[]>();
  for (const w of workers) processes.set(w.id, [...(processes.get(w.id) ?? []), w]);
  const now = Date.now();
  return (
    <section className="card stack" aria-labelledby="h-workers">
      <h2 id="h-workers"><Icon name="mic" />{t.ops.workersTitle}</h2>
      {workers.length === 0 && <p className="muted">{t.ops.noWorkers}</p>}
      <ul className="workers">
        {[...processes].map(([id, stages]) => {
          const p = stages[0]!;
          const running = stages.flatMap((s) => s.running.map((r) => ({ ...r, stage: s.stage })));
          return (
            <li key={id} className="worker" data-worker={id}>
              <div className="row tight">
                <strong>{p.host || id.slice(0, 8)}</strong>
                <span className="muted mono">{[p.process && `#${p.process}`, p.version].filter(Boolean).join(" · ")}</span>
                <span className="muted grow"><small>{t.ops.since(formatDate(lang, p.since))}</small></span>
              </div>
              <div className="row tight">
                {stages.map((s) => (
                  <span key={s.stage} className={`chip ${s.running.length ? "accent" : ""}`}>{t.task.stages[s.stage] ?? s.stage} {s.running.length}/{s.places}</span>
                ))}
              </div>
              {running.map((r) => (
                <p key={`${r.stage}/${r.task}`} className="row tight">
                  <span className="chip accent">{t.task.stages[r.stage] ?? r.stage}</span>
                  <Link to={`/t/${r.task}/debug`} className="mono">{r.task}</Link>
                  <span className="muted"><small>{t.seconds(formatSeconds(Math.max(0, (now - Date.parse(r.since)) / 1000)))}{r.attempt > 1 && ` · ${t.task.attempt(r.attempt)}`}</small></span>
                </p>
              ))}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
