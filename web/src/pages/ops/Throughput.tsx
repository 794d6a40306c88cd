import { useI18n } from "../../i18n";
import type { Minute } from "./data";

const height = 120;
const width = 600;

// Throughput shows finished and failed tasks of the last hour, minute by minute.
export function Throughput({ minutes }: { minutes: Minute[] }) {
  const { t, lang } = useI18n();
  const top = Math.max(4, ...minutes.map((m) => m.completed + m.failed));
  const completed = minutes.reduce((n, m) => n + m.completed, 0);
  const failed = minutes.reduce((n, m) => n + m.failed, 0);
  const step = width / 60;
  const clock = (ms: number) => new Date(ms).toLocaleTimeString(lang === "ja" ? "ja-JP" : "en-GB", { hour: "2-digit", minute: "2-digit" });
  return (
    <figure className="throughput">
      <svg viewBox={`0 0 ${width} ${height + 20}`} role="img" aria-label={t.ops.throughputText(completed, failed)}>
        {[0, 0.5, 1].map((f) => (
          <g key={f}>
            <line x1={0} x2={width} y1={height * (1 - f) + 1} y2={height * (1 - f) + 1} className="grid" />
            {f > 0 && <text x={2} y={height * (1 - f) + 12} className="axis">{Math.round(top * f)}</text>}
          </g>
        ))}
        {minutes.map((m, i) => {
          const ok = (m.completed / top) * height;
          const bad = (m.failed / top) * height;
          return (
            <g key={m.at}>
              <title>{`${clock(m.at)} — ${t.ops.throughputText(m.completed, m.failed)}`}</title>
              {ok > 0 && <rect x={i * step + 1.5} width={step - 3} y={height - ok} height={ok} className="ok" rx={1.5} />}
              {bad > 0 && <rect x={i * step + 1.5} width={step - 3} y={height - ok - bad} height={bad} className="bad" rx={1.5} />}
            </g>
          );
        })}
        {[0, 15, 30, 45].map((i) => minutes[i] && <text key={i} x={i * step + 2} y={height + 16} className="axis">{clock(minutes[i].at)}</text>)}
      </svg>
      <figcaption className="row">
        <span><span className="key ok" /> {t.ops.completed} <strong>{completed}</strong></span>
        <span><span className="key bad" /> {t.ops.failed} <strong>{failed}</strong></span>
      </figcaption>
    </figure>
  );
}
