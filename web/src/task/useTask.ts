// The live view of one task: its recorded events first, then each as it happens.
// The browser reconnects an event stream by itself and says where it was; a page
// that was reloaded starts again from the beginning, which is short.
import { useEffect, useReducer } from "react";
import { ApiError, getJSON } from "../api/client";
import type { CloudEvent, Progress, Task } from "../api/types";
import { apply, emptyTask, progress, terminal } from "./fold";

export interface LiveTask {
  task: Task | null;
  connected: boolean;
  error: ApiError | null;
}

type Action =
  | { do: "load"; task: Task }
  | { do: "event"; seq: number; event: CloudEvent; id: string }
  | { do: "progress"; p: Progress }
  | { do: "connected"; on: boolean }
  | { do: "error"; error: ApiError };

const nothing: LiveTask = { task: null, connected: false, error: null };

function step(s: LiveTask, a: Action): LiveTask {
  switch (a.do) {
    case "load":
      return { ...s, task: a.task, error: null };
    case "event": {
      const old = s.task ?? emptyTask(a.id);
      return { ...s, task: apply(old, a.seq, a.event), error: null };
    }
    case "progress":
      return s.task ? { ...s, task: progress(s.task, a.p) } : s;
    case "connected":
      return { ...s, connected: a.on };
    case "error":
      return { ...s, error: a.error };
  }
}

// useTask follows a task. What the service says in words is in the reader's language,
// so another one asks anew.
export function useTask(id: string, lang: string): LiveTask {
  const [state, dispatch] = useReducer(step, nothing);
  useEffect(() => {
    let stopped = false;
    let source: EventSource | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const abort = new AbortController();

    // The document has what events do not carry: subject and remarks of the
    // owner, and the exact percent.
    const load = async () => {
      try {
        const task = await getJSON<Task>(`/api/video/status/${id}`, abort.signal);
        if (stopped) return;
        dispatch({ do: "load", task: { ...task, revision: 0 } });
        if (terminal(task)) return;
        follow();
      } catch (e) {
        if (stopped) return;
        if (e instanceof ApiError) dispatch({ do: "error", error: e });
        if (!(e instanceof ApiError) || e.status === 0 || e.status >= 500) retry = setTimeout(load, 2000);
      }
    };
    const follow = () => {
      source = new EventSource(`/api/tasks/${id}/events`);
      source.onopen = () => dispatch({ do: "connected", on: true });
      source.addEventListener("event", (m) => {
        const event = JSON.parse(m.data) as CloudEvent;
        dispatch({ do: "event", seq: Number(m.lastEventId), event, id });
        const verb = event.type.slice(event.type.lastIndexOf(".") + 1);
        if (event.type.startsWith("videomsg.task.") && ["completed", "failed", "canceled"].includes(verb)) {
          source?.close();
          void final();
        }
      });
      source.addEventListener("progress", (m) => dispatch({ do: "progress", p: JSON.parse(m.data) as Progress }));
      source.onerror = () => {
        dispatch({ do: "connected", on: false });
        if (source?.readyState === EventSource.CLOSED) retry = setTimeout(load, 1500);
      };
    };
    const final = async () => {
      for (let i = 0; i < 20 && !stopped; i++) {
        try {
          const task = await getJSON<Task>(`/api/video/status/${id}?wait=2`, abort.signal);
          if (terminal(task)) return dispatch({ do: "load", task });
        } catch {
          // what the events said stays on the screen
        }
        await new Promise((r) => (retry = setTimeout(r, 500)));
      }
    };
    void load();
    return () => {
      stopped = true;
      abort.abort();
      clearTimeout(retry);
      source?.close();
    };
  }, [id, lang]);
  return state;
}
