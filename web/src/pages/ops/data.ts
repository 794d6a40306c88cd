// What the operations page shows, read again every two seconds while it is seen.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, getJSON, list } from "../../api/client";
import type { DeadLetter, EngineState, Minute, OpsStage, Worker } from "../../api/types";

export interface Ops {
  stages: OpsStage[];
  workers: Worker[];
  engines: EngineState[];
  dead: DeadLetter[];
  minutes: Minute[]; // of the last hour, oldest first
  error: unknown;
  reload: () => void;
}

const hour = 60;

// lastHour brings the minutes up to date. They are counted from the recorded
// events, so that no restart forgets them; of what is known, only the newest two
// can still change.
async function lastHour(old: Minute[], signal: AbortSignal): Promise<Minute[]> {
  const since = old.length < hour ? "" : `?since=${old.at(-2)!.minute}`;
  const r = await getJSON<{ items: Minute[] }>(`/api/admin/throughput${since}`, signal);
  const first = r.items[0]?.minute ?? "";
  return [...old.filter((m) => m.minute < first), ...r.items].slice(-hour);
}

const recent = 5; // minutes that a rate is the mean of

// rate is how often a stage has ended its work, in tasks a minute.
export function rate(minutes: Minute[], stage: string): number {
  const m = minutes.slice(-recent);
  return m.reduce((n, x) => n + (x.stages[stage]?.ready ?? 0) + (x.stages[stage]?.failed ?? 0), 0) / recent;
}

// count sums up over the hour how often an engine has served, or was replaced.
export function count(minutes: Minute[], what: "served" | "replaced", stage: string, engine: string): number {
  return minutes.reduce((n, m) => n + (m.stages[stage]?.[what]?.[engine] ?? 0), 0);
}

export function useOps(deadState: string): Ops {
  const [ops, set] = useState<Omit<Ops, "reload">>({ stages: [], workers: [], engines: [], dead: [], minutes: [], error: null });
  const minutes = useRef<Minute[]>([]);
  const kick = useRef<() => void>(() => {});
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let round = 0;
    const read = async () => {
      clearTimeout(timer);
      const slow = round++ % 5 === 0; // engines change slowly, and asking them costs
      const s = abort.signal;
      try {
        const [stages, workers, dead, hourly] = await Promise.all([
          list<OpsStage>("/api/admin/stages", s),
          list<Worker>("/api/admin/workers", s),
          list<DeadLetter>(`/api/admin/dead-letters?limit=200&state=${deadState}`, s),
          lastHour(minutes.current, s),
        ]);
        minutes.current = hourly;
        set((o) => ({ ...o, stages, workers, dead, minutes: hourly, error: null }));
        if (slow) {
          const engines = await list<EngineState>("/api/admin/engines", s);
          set((o) => ({ ...o, engines }));
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
      round = 0;
      void read();
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [deadState]);
  const reload = useCallback(() => kick.current(), []);
  return { ...ops, reload };
}
