import { useEffect, useRef, useState } from "react";
import { call } from "../../api/client";
import type { Task } from "../../api/types";
import { explain, formatSeconds, useI18n } from "../../i18n";
import { Link, navigate } from "../../router";
import { terminal } from "../../task/fold";
import { useTask } from "../../task/useTask";
import { Icon } from "../../ui/Icon";
import { Change } from "./Change";
import { Result } from "./Result";
import { Fallbacks, Steps, useNow } from "./Steps";
import "../../styles/task.css";

export default function TaskPage({ id }: { id: string }) {
  const { t, lang } = useI18n();
  const { task, connected, error } = useTask(id, lang);
  if (!task) {
    return (
      <main id="main" className="page narrow center" tabIndex={-1}>
        {error ? (
          <>
            <h1>{explain(t, error)}</h1>
            <Link className="button" to="/">{t.goHome}</Link>
          </>
        ) : (
          <p className="muted" role="status">{t.loading}</p>
        )}
      </main>
    );
  }
  return (
    <main id="main" className="page narrow" tabIndex={-1}>
      {task.status === "completed" ? <Result task={task} /> : terminal(task) ? <Ended task={task} /> : <Running task={task} connected={connected} />}
      {task.status === "completed" && <Change task={task} />}
      <More task={task} />
    </main>
  );
}

function Running({ task, connected }: { task: Task; connected: boolean }) {
  const { t } = useI18n();
  const [canceling, setCanceling] = useState(false);
  const [problem, setProblem] = useState("");
  const now = useNow(true);
  // Between two stages the next one is what is being done.
  const begun = task.stages.some((s) => s.state !== "pending");
  const current = task.stages.find((s) => s.state === "running") ?? (begun ? task.stages.find((s) => s.state === "pending") : undefined);
  const doing = current ? t.task.doing[current.name] ?? current.name : t.task.waiting;
  const percent = Math.round(task.percent);
  const elapsed = task.created_at ? Math.max(0, (now - Date.parse(task.created_at)) / 1000) : 0;
  // A connection that is lost for a moment is nobody's business.
  const [lost, setLost] = useState(false);
  useEffect(() => {
    if (connected) return setLost(false);
    const timer = setTimeout(() => setLost(true), 1500);
    return () => clearTimeout(timer);
  }, [connected]);
  async function cancel() {
    setCanceling(true);
    try {
      await call(`/api/tasks/${task.task_id}/cancel`, { method: "POST" });
    } catch (e) {
      setCanceling(false);
      setProblem(explain(t, e));
    }
  }
  return (
    <section className="card stack running" aria-labelledby="h-task">
      <h1 id="h-task">{t.task.title}</h1>
      <div className="percent-row">
        <span className="percent" data-percent={percent} aria-hidden="true">{percent}<small>%</small></span>
        <div className="grow">
          <p className="doing">{doing}</p>
          <p className="muted"><small>{t.task.elapsed} {t.seconds(formatSeconds(elapsed))}</small></p>
        </div>
      </div>
      <div className="bar" role="progressbar" aria-label={t.task.title} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} aria-valuetext={`${doing} ${t.task.percent(percent)}`}>
        <span style={{ transform: `scaleX(${task.percent / 100})` }} />
      </div>
      <Announce text={doing} percent={percent} />
      <Steps task={task} live />
      <Fallbacks task={task} />
      {lost && <p className="notice warn" role="status"><span className="spin" aria-hidden="true" />{t.task.reconnecting}</p>}
      <p className="muted"><small>{t.task.stayNote}</small></p>
      {problem && <p className="error" role="alert">{problem}</p>}
      <div className="row">
        <button type="button" className="secondary" disabled={canceling} onClick={() => void cancel()}>
          <Icon name="cross" size={20} />{canceling ? t.task.canceling : t.task.cancel}
        </button>
      </div>
    </section>
  );
}

// Announce tells screen readers about each new stage and each quarter, not about
// every percent.
function Announce({ text, percent }: { text: string; percent: number }) {
  const { t } = useI18n();
  const quarter = Math.floor(percent / 25) * 25;
  const [said, say] = useState("");
  const last = useRef("");
  useEffect(() => {
    const key = `${text} ${quarter}`;
    if (key === last.current) return;
    last.current = key;
    say(t.task.announce(text, percent));
  }, [text, quarter, percent, t]);
  return <p className="visually-hidden" role="status" aria-live="polite">{said}</p>;
}

function Ended({ task }: { task: Task }) {
  const { t } = useI18n();
  const failed = task.status === "failed";
  const [problem, setProblem] = useState("");
  const stage = task.error?.stage ?? task.stages.find((s) => s.state === "failed")?.name;
  async function again() {
    try {
      const from = failed && stage ? stage : task.stages[0]?.name;
      const r = await call(`/api/tasks/${task.task_id}/rerun`, { json: { from, changes: {} } });
      const a = (await r.json()) as { task_id: string };
      navigate(`/t/${a.task_id}`);
    } catch (e) {
      setProblem(explain(t, e));
    }
  }
  const own = task.error && t.errors[task.error.code];
  return (
    <section className="card stack" aria-labelledby="h-task">
      <h1 id="h-task">{failed ? t.task.failedTitle : t.task.canceledTitle}</h1>
      {failed && task.error && (
        <div className="notice bad" role="alert">
          <Icon name="alert" />
          <div className="grow">
            {stage && <strong>{t.task.stages[stage] ?? stage}：</strong>}
            {own ?? task.error.detail}
            <p className="reason muted mono">{task.error.code}</p>
          </div>
        </div>
      )}
      <Fallbacks task={task} />
      <Steps task={task} live={false} />
      {problem && <p className="error" role="alert">{problem}</p>}
      <div className="row">
        <button type="button" className="primary" onClick={() => void again()}><Icon name="redo" size={20} />{t.task.retry}</button>
        <Link className="secondary" to={`/?from=${task.task_id}`}><Icon name="edit" size={20} />{t.task.startOver}</Link>
      </div>
    </section>
  );
}

function More({ task }: { task: Task }) {
  const { t } = useI18n();
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  async function erase() {
    try {
      await call(`/api/tasks/${task.task_id}`, { method: "DELETE" });
      dialog.current?.close();
      navigate("/history");
    } catch (e) {
      setProblem(explain(t, e));
    }
  }
  return (
    <div className="row more">
      <Link className="ghost" to={`/t/${task.task_id}/debug`}><Icon name="list" size={20} />{t.task.debug}</Link>
      <button type="button" className="ghost" onClick={() => dialog.current?.showModal()}><Icon name="trash" size={20} />{t.task.erase}</button>
      <dialog ref={dialog} aria-labelledby="h-erase">
        <div className="stack">
          <h2 id="h-erase">{t.task.erase}</h2>
          <p>{t.task.eraseAsk}</p>
          {problem && <p className="error" role="alert">{problem}</p>}
          <div className="row">
            <button type="button" className="danger" onClick={() => void erase()}>{t.task.eraseYes}</button>
            <button type="button" className="secondary" autoFocus onClick={() => dialog.current?.close()}>{t.cancel}</button>
          </div>
        </div>
      </dialog>
    </div>
  );
}
