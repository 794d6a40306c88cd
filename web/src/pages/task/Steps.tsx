import { useEffect, useState } from "react";
import type { Stage, Task } from "../../api/types";
import { formatSeconds, useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";

const icons: Record<string, string> = { image: "camera", voice: "mic", prosody: "heart", bgm: "note", video: "film" };

// useNow ticks while on, for counting seconds.
export function useNow(on: boolean, every = 200): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!on) return;
    set(Date.now());
    const i = setInterval(() => set(Date.now()), every);
    return () => clearInterval(i);
  }, [on, every]);
  return now;
}

function seconds(s: Stage, now: number): number | undefined {
  if (s.seconds) return s.seconds;
  if (s.state === "running" && s.started_at) return Math.max(0, (now - Date.parse(s.started_at)) / 1000);
  return undefined;
}

export function Steps({ task, live }: { task: Task; live: boolean }) {
  const { t } = useI18n();
  const now = useNow(live);
  const current = task.stages.find((s) => s.state === "running") ?? (live ? task.stages.find((s) => s.state === "pending") : undefined);
  return (
    <ol className="steps">
      {task.stages.map((s) => {
        const sec = seconds(s, now);
        const wait = s.retry_at ? Math.max(0, Math.ceil((Date.parse(s.retry_at) - now) / 1000)) : 0;
        return (
          <li key={s.name} className={`step ${s.state}${s === current ? " current" : ""}`} data-stage={s.name} data-state={s.state} aria-current={s === current ? "step" : undefined}>
            <span className="step-mark" aria-hidden="true">
              <Icon name={s.state === "ready" ? "check" : s.state === "failed" ? "cross" : icons[s.name] ?? "gear"} size={22} />
              {s.state === "running" && (
                <svg className="ring" viewBox="0 0 48 48">
                  <circle cx="24" cy="24" r="22" />
                  <circle className="ring-done" cx="24" cy="24" r="22" pathLength={100} strokeDasharray={`${Math.max(3, s.percent ?? 0)} 100`} />
                </svg>
              )}
            </span>
            <span className="step-body">
              <span className="step-name">{t.task.stages[s.name] ?? s.name}</span>
              <span className="step-facts">
                {s.state === "running" && s.percent !== undefined ? `${Math.round(s.percent)}%` : t.task.states[s.state]}
                {sec !== undefined && <> · {t.seconds(formatSeconds(sec))}</>}
                {s.cache && <> · {t.task.cached}</>}
              </span>
              {s.engine && s.engine !== "none" && <span className="step-engine">{s.engine}</span>}
              {s.remarks?.map((r) => <span key={r} className="step-engine">{r}</span>)}
              {(s.attempt ?? 1) > 1 && <span className="chip warn">{t.task.attempt(s.attempt ?? 1)}</span>}
              {wait > 0 && <span className="chip warn">{t.task.retryAt(wait)}</span>}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

// Fallbacks says which engines did not serve, and why.
export function Fallbacks({ task }: { task: Task }) {
  const { t } = useI18n();
  const lines = task.stages.flatMap((s) => (s.fallback_from ?? []).map((f) => ({ stage: s.name, text: (s.state === "failed" ? t.task.because : t.task.instead)(f.engine, t.task.reasons[f.reason] ?? f.reason) })));
  if (!lines.length) return null;
  const failed = task.stages.some((s) => s.state === "failed" && s.fallback_from?.length);
  return (
    <div className="notice">
      <Icon name="alert" size={20} />
      <div className="grow">
        <strong>{failed ? t.task.becauseTitle : t.task.insteadTitle}</strong>
        <ul className="fallbacks">
          {lines.map((l, i) => (
            <li key={i}><span className="chip">{t.task.stages[l.stage] ?? l.stage}</span> {l.text}</li>
          ))}
        </ul>
      </div>
    </div>
  );
}
