// What the operations page shows, read again every two seconds while it is seen.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, call, getJSON, list } from "../../api/client";
import type { DeadLetter, EngineState, OpsStage } from "../../api/types";

export interface Minute { at: number; completed: number; failed: number }

export interface Ops {
  stages: OpsStage[];
  rates: Record<string, number>; // deliveries a minute, by stage
  engines: EngineState[];
  dead: DeadLetter[];
  fallbacks: Record<string, number>; // by "stage/engine", since the process began
  minutes: Minute[];
  error: unknown;
  updated: number;
  reload: () => void;
}

// counters reads one family of counters from the Prometheus text format.
export function counters(text: string, name: string): { labels: Record<string, string>; value: number }[] {
  const out: { labels: Record<string, string>; value: number }[] = [];
  for (const line of text.split("\n")) {
    const m = line.startsWith(`${name}{`) && /^[^{]+\{(.*)\} ([0-9.e+]+)/.exec(line);
    if (!m) continue;
    const labels: Record<string, string> = {};
    for (const l of (m[1] ?? "").matchAll(/(\w+)="([^"]*)"/g)) labels[l[1] ?? ""] = l[2] ?? "";
    out.push({ labels, value: Number(m[2]) });
  }
  return out;
}

interface Ended { status: string; finished_at?: string }

// lastHour counts finished tasks by minute. They come from the recorded tasks, so
// that a restart forgets none.
async function lastHour(signal: AbortSignal): Promise<Minute[]> {
  const now = Math.floor(Date.now() / 60_000);
  const minutes = Array.from({ length: 60 }, (_, i): Minute => ({ at: (now - 59 + i) * 60_000, completed: 0, failed: 0 }));
  const since = new Date((now - 90) * 60_000).toISOString();
  let cursor = "";
  for (let page = 0; page < 20; page++) {
    const r = await getJSON<{ items: Ended[]; next?: string }>(`/api/tasks?limit=100&since=${since}${cursor}`, signal);
    for (const x of r.items) {
      if (!x.finished_at) continue;
      const m = minutes[Math.floor(Date.parse(x.finished_at) / 60_000) - (now - 59)];
      if (!m) continue;
      if (x.status === "completed") m.completed++;
      else if (x.status === "failed") m.failed++;
    }
    if (!r.next) break;
    cursor = `&cursor=${encodeURIComponent(r.next)}`;
  }
  return minutes;
}

export function useOps(deadState: string): Ops {
  const [ops, set] = useState<Omit<Ops, "reload">>({ stages: [], rates: {}, engines: [], dead: [], fallbacks: {}, minutes: [], error: null, updated: 0 });
  const history = useRef<{ at: number; delivered: Record<string, number> }[]>([]);
  const round = useRef(0);
  const kick = useRef<() => void>(() => {});
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const read = async () => {
      clearTimeout(timer);
      const slow = round.current++ % 5 === 0; // engines and the graph change slowly
      const s = abort.signal;
      try {
        const [stages, dead] = await Promise.all([
          list<OpsStage>("/api/admin/stages", s),
          list<DeadLetter>(`/api/admin/dead-letters?limit=200&state=${deadState}`, s),
        ]);
        const now = Date.now();
        history.current = [...history.current.filter((h) => now - h.at < 60_000), { at: now, delivered: Object.fromEntries(stages.map((x) => [x.name, x.delivered])) }];
        const oldest = history.current[0]!;
        const span = (now - oldest.at) / 60_000;
        const rates = Object.fromEntries(stages.map((x) => [x.name, span > 0 ? Math.max(0, x.delivered - (oldest.delivered[x.name] ?? x.delivered)) / span : 0]));
        set((o) => ({ ...o, stages, dead, rates, error: null, updated: now }));
        if (slow) {
          const [engines, text, minutes] = await Promise.all([
            list<EngineState>("/api/admin/engines", s),
            call("/metrics", { signal: s }).then((r) => r.text(), () => ""),
            lastHour(s),
          ]);
          const fallbacks = Object.fromEntries(counters(text, "engine_fallbacks_total").map((c) => [`${c.labels.stage}/${c.labels.engine}`, c.value]));
          set((o) => ({ ...o, engines, fallbacks, minutes }));
        }
      } catch (error) {
        if (!s.aborted) set((o) => ({ ...o, error }));
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
      }
      if (!s.aborted) timer = setTimeout(tick, 2000);
    };
    const tick = () => {
      if (document.hidden) timer = setTimeout(tick, 2000);
      else void read();
    };
    kick.current = () => {
      round.current = 0;
      void read();
    };
    round.current = 0;
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [deadState]);
  const reload = useCallback(() => kick.current(), []);
  return { ...ops, reload };
}
