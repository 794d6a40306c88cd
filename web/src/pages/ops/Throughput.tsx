import type { Minute } from "../../api/types";
import { useI18n } from "../../i18n";

// Throughput shows finished and failed tasks of the last hour, minute by minute.
export function Throughput({ minutes }: { minutes: Minute[] }) {
  const { t, lang } = useI18n();
  const most = Math.max(4, ...minutes.map((m) => m.completed + m.failed));
  const top = most + (most % 2);
  const sum = (f: (m: Minute) => number) => minutes.reduce((n, m) => n + f(m), 0);
  const completed = sum((m) => m.completed);
  const failed = sum((m) => m.failed);
  const canceled = sum((m) => m.canceled);
  const clock = (at: string) => new Date(at).toLocaleTimeString(lang === "ja" ? "ja-JP" : "en-GB", { hour: "2-digit", minute: "2-digit" });
  return (
    <figure className="throughput">
      <div className="chart">
        <div className="chart-scale" aria-hidden="true"><span>{top}</span><span>{top / 2}</span><span>0</span></div>
        <svg viewBox={`0 0 60 ${top}`} preserveAspectRatio="none" role="img" aria-label={t.ops.throughputText(completed, failed)}>
          {[0, top / 2, top].map((y) => <line key={y} x1={0} x2={60} y1={y} y2={y} className="grid" vectorEffect="non-scaling-stroke" />)}
          {minutes.map((m, i) => (
            <g key={m.minute}>
              <title>{`${clock(m.minute)} — ${t.ops.throughputText(m.completed, m.failed)}`}</title>
              <rect x={i} width={1} y={0} height={top} className="hit" />
              {m.completed > 0 && <rect x={i + 0.12} width={0.76} y={top - m.completed} height={m.completed} className="ok" />}
              {m.failed > 0 && <rect x={i + 0.12} width={0.76} y={top - m.completed - m.failed} height={m.failed} className="bad" />}
            </g>
          ))}
        </svg>
        <div className="chart-times" aria-hidden="true">
          {[0, 15, 30, 45, 59].map((i) => <span key={i}>{minutes[i] ? clock(minutes[i].minute) : ""}</span>)}
        </div>
      </div>
      <figcaption className="row">
        <span><span className="key ok" /> {t.ops.completed} <strong>{completed}</strong></span>
        <span><span className="key bad" /> {t.ops.failed} <strong>{failed}</strong></span>
        <span className="muted">{t.ops.canceled} <strong>{canceled}</strong></span>
      </figcaption>
    </figure>
  );
}
